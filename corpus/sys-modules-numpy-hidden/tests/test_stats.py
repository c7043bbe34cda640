import stats


def test_mean():
    assert stats.mean([1, 2, 3]) == 2


def test_column_sums():
    assert stats.column_sums([[1, 2], [3, 4]]) == [4, 6]
