from decimal import Decimal

from geo import metres, third


def test_a_foot():
    assert metres(1) == Decimal("0.3048")


def test_a_third_is_precise():
    assert len(str(third(1))) > 20


def test_no_feet():
    assert metres(0) == 0
