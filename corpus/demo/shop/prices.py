PRICES = {"tea": 3, "mug": 9, "pot": 24}
_DISCOUNTS = {}


def discount(item, percent):
    _DISCOUNTS[item] = percent


def price(item):
    full = PRICES[item]
    return full - full * _DISCOUNTS.get(item, 0) / 100
