import pytest

import stats


@pytest.mark.parametrize("values, expected", [([1], 1), ([1, 2, 3], 2), ([-5, 5], 0)])
def test_mean(values, expected):
    assert stats.mean(values) == expected


def test_column_sums():
    assert stats.column_sums([[1, 2], [3, 4]]) == [4, 6]
