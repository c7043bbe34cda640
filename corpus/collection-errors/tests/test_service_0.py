import redis


def test_service():
    assert redis
