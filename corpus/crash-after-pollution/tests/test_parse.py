import native


def test_two_fields():
    assert native.parse("a,b") == ["a", "b"]


def test_empty_text_has_no_fields():
    assert native.parse("") == []


def test_one_field():
    assert native.parse("a") == ["a"]
