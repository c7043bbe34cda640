import os

from app import VERSION

HOME = VERSION.major


def test_config():
    assert HOME and os and VERSION
