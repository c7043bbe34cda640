import pytest

import dates


@pytest.mark.parametrize("year", [2004, 2020, 2024])
def test_leap_years(year):
    assert dates.leap(year)


def test_1900_was_no_leap_year():
    assert not dates.leap(1900)


def test_days():
    assert dates.days(2023) == 365
