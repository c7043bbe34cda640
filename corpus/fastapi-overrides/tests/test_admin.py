from shop.api import User, app, get_current_user


def test_admin_removes_an_item(client):
    app.dependency_overrides[get_current_user] = lambda: User("root", admin=True)
    assert client.delete("/items/tea").json() == {"removed": True}


def test_unknown_item(client):
    assert client.get("/items/boat").status_code == 404
