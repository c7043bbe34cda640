def test_admin_removes(client, as_admin):
    assert client.delete("/items/mug").status_code == 200


def test_admin_is_known(client, as_admin):
    assert client.get("/me").json()["admin"] is True
