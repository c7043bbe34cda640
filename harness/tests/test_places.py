"""How values and keys are shown, and which are the same."""

from __future__ import annotations

import datetime
import decimal
import pathlib
import types
import uuid
from unittest import mock

import pytest
from jostle_harness.places import MISSING, are_passing, is_atomic, is_mock, key_name, names_its_item, same, show


class Hostile:
    """Any code of it that is run ends the test."""

    def __init__(self) -> None:
        object.__getattribute__(self, "__dict__")["inside"] = 1

    def __getattribute__(self, name: str) -> object:
        raise AssertionError("code of the suite was run")

    def __eq__(self, other: object) -> bool:
        raise AssertionError("code of the suite was run")

    def __hash__(self) -> int:
        return 1

    def __repr__(self) -> str:
        raise AssertionError("code of the suite was run")

    def __bool__(self) -> bool:
        raise AssertionError("code of the suite was run")


class Point:
    """An instance with attributes."""

    def __init__(self) -> None:
        self.x, self.y = 1, [2]


SHOWN = [
    (MISSING, "(absent)"),
    (None, "None"),
    (3, "3"),
    (1 << 500, "a large int"),
    (1.5, "1.5"),
    ("a\nb", r"'a\nb'"),
    ("a" * 121, "'" + "a" * 118 + "…"),
    (b"ab", "b'ab'"),
    ([], "[]"),
    ([1, 2, 3, 4, 5, 6, 7], "[1, 2, 3, 4, 5, … 2 more]"),
    ((1,), "(1,)"),
    ((1, 2), "(1, 2)"),
    (set(), "set()"),
    ({2, 1}, "{1, 2}"),
    (frozenset(), "frozenset()"),
    (frozenset({1}), "frozenset({1})"),
    ({"a": 1, 2: [3]}, "{'a': 1, 2: [3]}"),
    ([[[[["deep"]]]]], "[[[[…]]]]"),
    (int, "<class int>"),
    (decimal.Decimal, "<class decimal.Decimal>"),
    (decimal.Decimal("1.5"), "Decimal('1.5')"),
    (datetime.date(2024, 1, 2), "datetime.date(2024, 1, 2)"),
    (len, "<function builtins.len>"),
    (show, "<function jostle_harness.places.show>"),
    (types, "<module types>"),
    (Point(), f"<{__name__}.Point x=1, y=[2]>"),
    ([object()], "[<object object>]"),
    ("at 0x7f0011223344", "'at 0x…'"),
    ("took 1.2345 s", "'took … s'"),
]


@pytest.mark.parametrize(("value", "shown"), SHOWN, ids=[shown for _, shown in SHOWN])
def test_a_value_is_shown_in_one_line(value: object, shown: str) -> None:
    assert show(value) == shown


def test_no_code_of_the_suite_is_run_to_show_or_to_compare_a_value() -> None:
    value = Hostile()
    assert show(value) == f"<{__name__}.Hostile inside=1>"
    assert show([value, {1: value}]) == f"[{show(value)}, {{1: <{__name__}.Hostile object>}}]"
    assert key_name(value) == f"<{__name__}.Hostile inside=1>"
    assert not same(value, Hostile()) and same(value, value) and not is_atomic((value,))


KEYS = [
    ("tz", '"tz"', True),
    ("line\n", r"'line\n'", True),
    (3, "3", True),
    ((1, "a"), "(1, 'a')", True),
    (show, "show", True),
    (Point, "Point", True),
    (object(), "<object object>", True),
    ("a" * 121, None, False),
    ("at 0x7f0011223344", '"at 0x…"', False),
    (str(uuid.UUID(int=3)), None, False),
    ([1, 2, 3, 4, 5, 6], "[1, 2, 3, 4, 5, … 1 more]", False),
]


@pytest.mark.parametrize(("key", "named", "tells"), KEYS)
def test_a_key_names_its_item_if_another_run_has_the_same(key: object, named: str, tells: bool) -> None:
    assert named is None or key_name(key) == named
    assert names_its_item(key) is tells


def test_a_parameter_that_is_another_in_each_process_names_nothing() -> None:
    assert names_its_item("of this run") and names_its_item(41)
    are_passing(["of this run", 41, Hostile()])
    assert not names_its_item("of this run") and not names_its_item(41) and not names_its_item("41")


LIST = [1]
SAME = [
    (1, 1, True),
    (1, 2, False),
    (1, True, False),
    (1, 1.0, False),
    ("a", "a" * 1, True),
    ((1, ("a",)), (1, ("a",)), True),
    ((1, [2]), (1, [2]), False),
    (LIST, LIST, True),
    (LIST, [1], False),
    (MISSING, None, False),
]


@pytest.mark.parametrize(("old", "new", "equal"), SAME)
def test_values_are_the_same_as_far_as_can_be_told_without_their_code(old: object, new: object, equal: bool) -> None:
    assert same(old, new) is equal


@pytest.mark.parametrize("value", [1, "a", b"", None, (1, (2,)), frozenset({1})])
def test_what_cannot_change_is_atomic(value: object) -> None:
    assert is_atomic(value)


@pytest.mark.parametrize("value", [[], (1, []), Point(), tuple(range(101)), pathlib.PurePath("a")])
def test_what_may_change_or_is_long_is_not_atomic(value: object) -> None:
    assert not is_atomic(value)


def test_mocks_are_known() -> None:
    assert is_mock(mock.Mock()) and is_mock(mock.MagicMock()) and not is_mock(mock) and not is_mock(3)
