import locks


def test_guarded_returns():
    assert locks.guarded(lambda: 1) == 1


def test_plain_sum():
    assert sum([1, 2]) == 3
