import thumbnails


def test_a_cat_is_stored():
    assert thumbnails.store("cat", b"meow").read_bytes() == b"meow"
