from tasks import shares


def test_six_share_alike():
    assert shares(12, 6) == [2] * 6


def test_six_share_what_is_left():
    assert shares(14, 6) == [3, 3, 2, 2, 2, 2]


def test_one_has_all():
    assert shares(3, 1) == [3]


def test_nothing_is_shared():
    assert shares(0, 2) == [0, 0]
