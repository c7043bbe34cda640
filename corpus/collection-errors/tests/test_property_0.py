from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(min_value=5, max_value=1).example())
def test_property(value):
    assert value
