import pytest

from app import double


@pytest.mark.parametrize("value", range(30))
def test_double(value):
    assert double(value) == value + value
