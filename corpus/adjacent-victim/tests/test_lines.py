import pytest

import console


@pytest.mark.parametrize("text", ["a", "b", "c", "d", "e", "f"])
def test_a_line_ends_with_its_text(text):
    assert console.line(text).endswith(text)


def test_a_line_starts_at_the_margin():
    assert console.line("x") == "x"


@pytest.mark.parametrize("text", ["1", "2", "3"])
def test_numbers_are_text(text):
    assert console.line(text).strip() == text
