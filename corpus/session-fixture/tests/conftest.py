import pytest


@pytest.fixture(scope="session")
def entries():
    return [("rent", -900), ("salary", 2500), ("food", -310)]
