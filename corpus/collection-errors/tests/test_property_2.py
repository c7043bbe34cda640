from hypothesis import given
from hypothesis import strategies as st


@given(st.text(max_size=-1).example())
def test_property(value):
    assert value
