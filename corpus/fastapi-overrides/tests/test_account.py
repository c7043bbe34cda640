def test_a_visitor_is_a_guest(client):
    assert client.get("/me").json() == {"name": "guest", "admin": False}


def test_a_visitor_may_look(client):
    assert client.get("/items/tea").json()["price"] == 3
