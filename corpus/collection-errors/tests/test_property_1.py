from hypothesis import given
from hypothesis import strategies as st


@given(st.sampled_from([]).example())
def test_property(value):
    assert value
