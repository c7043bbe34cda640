from hypothesis import given
from hypothesis import strategies as st

import slugs


@given(st.sampled_from(["about", "imprint", "news"]))
def test_new_pages_find_their_slug_free(slug):
    assert slugs.is_free(slug)


def test_slug_of_a_title():
    assert slugs.slugify("Hello World") == "hello-world"
