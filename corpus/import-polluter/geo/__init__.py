import decimal


def metres(feet):
    return decimal.Decimal(feet) * decimal.Decimal("0.3048")


def third(value):
    return decimal.Decimal(value) / 3
