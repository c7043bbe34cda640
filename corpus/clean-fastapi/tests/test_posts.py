import pytest


def test_no_posts(client):
    assert client.get("/posts").json() == []


@pytest.mark.parametrize("title", ["first", "second", "third"])
def test_a_post_is_listed(client, title):
    client.post(f"/posts/{title}")
    assert client.get("/posts").json() == [title]


def test_ids_start_at_one(client):
    assert client.post("/posts/x").json() == {"id": 1}


def test_posts_keep_their_order(client):
    for title in "abc":
        client.post(f"/posts/{title}")
    assert client.get("/posts").json() == ["a", "b", "c"]
