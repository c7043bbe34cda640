import pytest


@pytest.mark.nightly
def test_marked():
    pass
