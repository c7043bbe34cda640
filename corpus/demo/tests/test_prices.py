import pytest

from shop import prices


@pytest.mark.parametrize("item", ["tea", "mug"])
def test_everything_has_a_price(item):
    assert prices.price(item) > 0


def test_summer_sale():
    prices.discount("pot", 50)
    assert prices.price("pot") == 12


def test_unknown_items_have_no_price():
    with pytest.raises(KeyError):
        prices.price("boat")
