import pytest


@pytest.mark.parametrize("value", range(4))
def test_int_of_text(value):
    assert int(str(value)) == value
