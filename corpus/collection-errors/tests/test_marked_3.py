import pytest


@pytest.mark.e2e
def test_marked():
    pass
