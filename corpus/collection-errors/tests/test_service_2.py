import kafka_client


def test_service():
    assert kafka_client
