import members


def test_who_joins_is_counted(ada):
    assert members.count() == 1
