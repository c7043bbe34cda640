import pytest

import pool


@pytest.mark.parametrize("base", [0, 1, 60])
def test_delay_is_not_negative(base):
    assert pool.delay(base) >= 0


def test_delay_is_exact_by_default():
    assert pool.delay(5) == 5
