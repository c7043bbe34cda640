import settings


def test_default_database():
    assert settings.database_url() == "sqlite://"


def test_debug_is_off():
    assert settings.debug() is False


def test_default_workers():
    assert settings.workers() == 2
