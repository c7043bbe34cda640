from shop import Customer


def test_a_customer_is_added(session):
    session.add(Customer(name="zoe"))
    session.commit()
    assert session.get(Customer, "zoe") is not None


def test_nobody_is_there_at_first(session):
    assert session.query(Customer).count() == 0
