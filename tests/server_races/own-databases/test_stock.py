import pytest


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_stock(shop, pieces):
    shop.execute("DELETE FROM stock")
    shop.execute("INSERT INTO stock VALUES (%s)", (pieces,))
    assert shop.execute("SELECT pieces FROM stock").fetchall() == [(pieces,)]
