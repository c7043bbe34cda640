"""Lines inside doctests are lines of their files."""

from __future__ import annotations

from pathlib import Path

import pytest
from jostle_harness import doctests

MODULE = '''"""Prices.

>>> 1 + 1
2
>>> def double(x):
...     return 2 * x
>>> double(1)
2
"""


def price():
    """
    >>> price()
    3
    """
    return 3
'''


@pytest.fixture
def prices(pytester: pytest.Pytester) -> Path:
    """A module whose doctests have been collected and made known."""
    path = pytester.makepyfile(prices=MODULE)
    items, _ = pytester.inline_genitems("--doctest-modules", path)
    assert len(items) == 2
    for item in items:
        doctests.know(item)
    return path


def test_a_line_of_an_example_is_one_of_its_file(prices: Path) -> None:
    assert doctests.file_of("<doctest prices[0]>") == str(prices)
    assert doctests.line_of("<doctest prices[0]>", 1, "<module>") == (3, "doctest of prices")
    assert doctests.line_of("<doctest prices[1]>", 2, "double") == (6, "double")
    assert doctests.line_of("<doctest prices[2]>", 1, "<module>") == (7, "doctest of prices")
    assert doctests.line_of("<doctest prices.price[0]>", 1, "<module>") == (14, "doctest of prices.price")


def test_a_text_file_is_told_by_its_name(pytester: pytest.Pytester) -> None:
    path = pytester.maketxtfile(test_guide="Text.\n\n>>> 1 + 1\n3\n")
    [item], _ = pytester.inline_genitems(path)
    doctests.know(item)
    assert doctests.file_of("<doctest test_guide.txt[0]>") == str(path)
    assert doctests.line_of("<doctest test_guide.txt[0]>", 1, "<module>") == (3, "doctest")


def test_all_other_code_is_where_it_says(prices: Path) -> None:
    for name in ("prices.py", "<string>", "<doctest unknown[0]>"):
        assert doctests.file_of(name) is None
        assert doctests.line_of(name, 3, "f") == (3, "f")


def test_a_test_that_is_no_doctest_is_none_of_its_business(pytester: pytest.Pytester) -> None:
    [item], _ = pytester.inline_genitems(pytester.makepyfile(test_plain="def test_it(): pass"))
    doctests.know(item)
    assert doctests.file_of("<doctest test_plain.test_it[0]>") is None
