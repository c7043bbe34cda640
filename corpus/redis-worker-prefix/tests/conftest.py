import os

import pytest

import cart


@pytest.fixture(autouse=True)
def own_keys(monkeypatch):
    """Keys begin with the worker's name, and are gone after the test."""
    monkeypatch.setattr(cart, "prefix", f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}:cart:")
    yield
    for name in cart.names():
        cart.client.delete(cart.prefix + name)
