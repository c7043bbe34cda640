from sqlalchemy import delete, func, select

from shop import Customer


def cities(session):
    return session.scalars(select(Customer.city).distinct().order_by(Customer.city)).all()


def test_a_customer_is_kept(session):
    session.execute(delete(Customer).where(Customer.name == "zoe"))
    session.add(Customer(name="zoe", city="Bern"))
    session.commit()
    assert session.get(Customer, "zoe").city == "Bern"


def test_a_customer_is_not_kept_without_commit(session):
    session.add(Customer(name="bob", city="Uri"))
    session.rollback()
    assert session.get(Customer, "bob") is None


def test_there_are_no_cities_without_customers(session):
    assert cities(session) == []


def test_a_count_is_a_number(session):
    assert session.scalar(select(func.count()).select_from(Customer)) >= 0
