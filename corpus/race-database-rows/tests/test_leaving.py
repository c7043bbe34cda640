import members


def test_who_leaves_is_not_counted(bob):
    members.leave(bob)
    assert members.count() == 0
