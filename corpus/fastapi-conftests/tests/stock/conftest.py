import pytest

from shop.api import app, get_catalogue


@pytest.fixture
def empty_stock():
    app.dependency_overrides[get_catalogue] = lambda: {}
