import pytest


@pytest.mark.integration
def test_marked():
    pass
