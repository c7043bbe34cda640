import pytest

from limits import order


@pytest.mark.parametrize("quantity", [0, 1, 5])
def test_small_orders(quantity):
    assert order(quantity) == quantity


def test_an_order_by_the_dozen():
    assert order(12) == 12
