import licences


def test_there_is_a_licence():
    assert licences.SIZE >= 1
