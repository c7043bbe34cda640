import pytest

from shop.cart import Cart


@pytest.fixture
def cart():
    return Cart()


def test_an_empty_cart_costs_nothing(cart):
    assert cart.total() == 0


def test_a_pot_and_two_mugs(cart):
    cart.add("pot")
    cart.add("mug", 2)
    assert cart.total() == 42


@pytest.mark.parametrize("number", [1, 2, 5, 10])
def test_so_much_tea(cart, number):
    cart.add("tea", number)
    assert cart.total() == 3 * number
