from crm.models import Customer


def test_a_customer_has_a_name():
    assert Customer(name="ann").name == "ann"


def test_the_table():
    assert Customer.__tablename__ == "customers"
