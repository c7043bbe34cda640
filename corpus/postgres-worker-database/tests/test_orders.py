from shop import order, ordered


def test_an_order_is_kept(connection):
    order(connection, "lamp", 2)
    assert ordered(connection, "lamp") == 2


def test_orders_add_up(connection):
    order(connection, "lamp", 2)
    order(connection, "lamp", 3)
    assert ordered(connection, "lamp") == 5


def test_nothing_is_ordered_at_first(connection):
    assert ordered(connection, "lamp") == 0


def test_the_first_order_has_number_one(connection):
    order(connection, "chair", 1)
    assert connection.execute("SELECT id FROM orders").fetchall() == [(1,)]
