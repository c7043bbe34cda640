import pytest
import redis


@pytest.fixture
def store():
    with redis.Redis(port=56381, decode_responses=True) as client:
        yield client


def test_login(store):
    store.set("session:1", "zoe")
    assert store.get("session:1") == "zoe"


def test_first_visit(store):
    store.flushall()
    store.incr("visits")
    assert store.get("visits") == "1"
