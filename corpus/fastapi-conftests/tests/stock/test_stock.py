def test_nothing_to_sell(client, empty_stock):
    assert client.get("/items").json() == []
