import boto3_missing


def test_service():
    assert boto3_missing
