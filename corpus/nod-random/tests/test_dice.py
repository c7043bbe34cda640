import pytest

import dice


@pytest.mark.parametrize("number", [0, 1, 5])
def test_number_of_rolls(number):
    assert len(dice.rolls(number)) == number


def test_a_roll_is_in_range():
    assert 1 <= dice.roll() <= 6


def test_a_roll_of_ten_sides_is_high():
    assert dice.roll(10) > 4


def test_one_side():
    assert dice.roll(1) == 1
