import shop


def test_two_orders_are_counted():
    assert shop.order() < shop.order()
