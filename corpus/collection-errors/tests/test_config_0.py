import os

from app import VERSION

HOME = os.environ["APP_HOME_OF_NOBODY"]


def test_config():
    assert HOME and os and VERSION
