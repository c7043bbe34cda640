import pytest

from rates import convert


@pytest.mark.parametrize("amount, expected", [(0, 0), (10, 10), (2.5, 2.5)])
def test_euros_stay_euros(amount, expected):
    assert convert(amount, "EUR") == expected


def test_dollars():
    assert convert(10, "USD") == 11


def test_pounds():
    assert convert(100, "GBP") == 85
