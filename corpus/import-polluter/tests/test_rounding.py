import decimal

from geo import metres

decimal.getcontext().prec = 6


def test_six_digits_do_for_a_mile():
    assert round(metres(5280)) == 1609


def test_a_yard():
    assert round(metres(3), 4) == decimal.Decimal("0.9144")
