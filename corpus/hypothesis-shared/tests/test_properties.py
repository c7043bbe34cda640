from hypothesis import given
from hypothesis import strategies as st

import slugs


@given(st.text())
def test_slugs_are_lower_case(title):
    assert slugs.slugify(title) == slugs.slugify(title).lower()


@given(st.sampled_from(["about", "contact"]))
def test_reserved_slugs_are_taken(slug):
    slugs.reserve(slug)
    assert not slugs.is_free(slug)
