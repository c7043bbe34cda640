import dataset
import pytest


@pytest.fixture(scope="session")
def unpacked():
    dataset.unpack()
    yield dataset
    dataset.remove()
