from shop.cart import Cart


def test_small_orders_pay_shipping():
    cart = Cart()
    cart.add("mug")
    assert cart.shipping() == 5


def test_large_orders_ship_free():
    cart = Cart()
    cart.add("mug", 10)
    assert cart.shipping() == 0


def test_shipping_of_exactly_fifty_is_five():
    cart = Cart()
    cart.add("mug", 6)
    assert cart.shipping() == 5
