def test_guest_may_not_remove(client):
    assert client.delete("/items/mug").status_code == 403


def test_items_are_listed(client):
    assert client.get("/items").json() == ["mug", "tea"]
