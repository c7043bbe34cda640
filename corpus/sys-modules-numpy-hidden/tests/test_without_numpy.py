import sys

import stats


def test_falls_back_to_plain_python():
    sys.modules["numpy"] = None
    assert stats.backend() == "python"


def test_mean_without_numpy():
    sys.modules["numpy"] = None
    assert stats.mean([2, 4]) == 3
