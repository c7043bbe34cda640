import pytest
from fastapi.testclient import TestClient

from shop.api import app


@pytest.fixture
def client():
    return TestClient(app)
