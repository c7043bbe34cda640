import pytest


def test_all_items(client):
    assert client.get("/items").json() == ["mug", "tea"]


@pytest.mark.parametrize("name, price", [("tea", 3), ("mug", 9)])
def test_price(client, name, price):
    assert client.get(f"/items/{name}").json() == {"name": name, "price": price}
