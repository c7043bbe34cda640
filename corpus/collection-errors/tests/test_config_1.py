import os

from app import VERSION

HOME = int("three")


def test_config():
    assert HOME and os and VERSION
