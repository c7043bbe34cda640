import pytest

import text

CASES = ["two words", "tab\there", "line\nbreak", "ümläut", "日本", "a::b", "[a/b::c]", "x[1]", "]", "@home", ""]


@pytest.mark.parametrize("case", CASES)
def test_no_double_spaces(case):
    text.forget()
    assert "  " not in text.normalise(case)
    text.forget()


@pytest.mark.parametrize("case", ["new [x::y] text", "a b"], ids=["fresh [x::y] é", "a b"])
def test_history_is_kept(case):
    text.forget()
    text.normalise(case)
    assert text.history() == [case]
    if case.startswith("a"):
        text.forget()


@pytest.mark.parametrize("length", [0], ids=["length :: 0 [none]"])
def test_history_starts_empty(length):
    assert len(text.history()) == length
