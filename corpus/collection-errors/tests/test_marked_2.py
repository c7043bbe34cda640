import pytest


@pytest.mark.gpu
def test_marked():
    pass
