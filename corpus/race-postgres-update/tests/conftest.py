import party
import pytest


@pytest.fixture
def evening():
    with party.connect() as connection:
        yield connection
