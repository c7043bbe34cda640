import pytest
import shelf

CASES = [
    ([{"name": "pot", "price": 50}], [40]),
    ([{"name": "mug", "price": 10}, {"name": "jar", "price": 30}], [8, 24]),
]


@pytest.mark.parametrize(("items", "prices"), CASES)
def test_discount(items, prices):
    shelf.discount(items, 20)
    assert [item["price"] for item in items] == prices


def test_by_price():
    assert shelf.by_price([{"price": 2}, {"price": 1}])[0]["price"] == 1
