import os

import pytest
import redis

OWN = os.environ.get("PYTEST_XDIST_WORKER", "master") + ":"


@pytest.fixture
def store():
    with redis.Redis(port=56381, decode_responses=True) as client:
        yield client
        for key in client.keys(OWN + "*"):
            client.delete(key)


@pytest.mark.parametrize("name", ["zoe", "bob"])
def test_login(store, name):
    store.set(OWN + "session:1", name)
    assert store.get(OWN + "session:1") == name
    assert store.keys(OWN + "*") == [OWN + "session:1"]
