import random
import uuid

import pytest

ORDERS = [uuid.uuid4() for _ in range(3)]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_order_id_has_36_characters(order):
    assert len(str(order)) == 36


@pytest.mark.parametrize("quantity", [random.randint(1, 1000)])
def test_quantity_is_positive(quantity):
    assert quantity > 0


def test_no_order_is_empty():
    assert all(ORDERS)
