from limits import LIMITS


def test_most_can_be_lowered():
    LIMITS.most = 10
    assert LIMITS.most == 10


def test_limits_have_a_most():
    assert LIMITS.most > 0
