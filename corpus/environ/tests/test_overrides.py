import os

import pytest

import settings


def test_database_from_the_environment(monkeypatch):
    monkeypatch.setenv("SHOP_DATABASE_URL", "postgresql://db/shop")
    assert settings.database_url() == "postgresql://db/shop"


def test_debug_from_the_environment():
    os.environ["SHOP_DEBUG"] = "1"
    assert settings.debug() is True


@pytest.mark.parametrize("number", [1, 8, 64])
def test_workers_from_the_environment(monkeypatch, number):
    monkeypatch.setenv("SHOP_WORKERS", str(number))
    assert settings.workers() == number
