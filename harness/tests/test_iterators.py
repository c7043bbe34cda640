"""Iterators are told by how much is left of them, from which nothing is taken, and others with as much left replace them."""

from __future__ import annotations

import collections
from typing import Any, Callable, List

import pytest
from jostle_harness.changes import changed_places
from jostle_harness.iterators import Left, copied, is_iterator, items_left
from jostle_harness.snapshot import Node, sort_of

MAKERS: List[Callable[[], Any]] = [
    lambda: iter([1, 2, 3]),
    lambda: iter((1, 2, 3)),
    lambda: iter("abc"),
    lambda: iter("äöü"),
    lambda: iter(b"abc"),
    lambda: iter(bytearray(b"abc")),
    lambda: iter(range(3)),
    lambda: iter(range(1 << 70, (1 << 70) + 3)),
    lambda: iter({1: 1, 2: 2, 3: 3}),
    lambda: iter({1: 1, 2: 2, 3: 3}.values()),
    lambda: iter({1: 1, 2: 2, 3: 3}.items()),
    lambda: iter({1, 2, 3}),
    lambda: iter(frozenset((1, 2, 3))),
    lambda: iter(collections.deque((1, 2, 3))),
    lambda: reversed([1, 2, 3]),
    lambda: reversed((1, 2, 3)),
    lambda: reversed("abc"),
    lambda: reversed(range(3)),
    lambda: reversed({1: 1, 2: 2, 3: 3}),
    lambda: reversed({1: 1, 2: 2, 3: 3}.values()),
    lambda: reversed({1: 1, 2: 2, 3: 3}.items()),
    lambda: reversed(collections.deque((1, 2, 3))),
]


@pytest.mark.parametrize("make", MAKERS, ids=[str(type(make()).__name__) for make in MAKERS])
def test_an_iterator_is_replaced_by_one_with_as_much_left(make: Callable[[], Any]) -> None:
    items = list(make())
    bound: List[Any] = [make()]
    next(bound[0])
    node = Node(bound[0], "shop.items", "whole", Left(bound[0]), False, "shop")
    node.rebind = lambda other: bound.__setitem__(0, other)
    assert (sort_of(bound[0]), list(changed_places(node))) == ("whole", [])
    for taken, new in ((1, "1 item left"), (2, "exhausted")):  # what has taken its place is put back as well
        for _ in range(taken):
            next(bound[0])
        [place] = changed_places(node)
        assert (place.old, place.new, place.recipe) == ("2 items left", new, None)
        assert place.restore is not None
        place.restore()
        assert list(changed_places(node)) == []
    assert list(bound[0]) == items[1:]


def test_one_that_nobody_knows_where_to_bind_is_told() -> None:
    node = Node(iter([1]), "shop.items[0]", "whole", Left(iter([1])), False, "shop")
    next(node.obj)
    [place] = changed_places(node)
    assert (place.new, place.restore) == ("exhausted", None)


def test_one_over_a_dictionary_that_has_grown_has_no_copy() -> None:
    held = {1: 1}
    keys = iter(held)
    held[2] = 2
    assert (items_left(keys), copied(keys)) == (0, None)


def test_one_of_any_length_is_told() -> None:
    assert str(Left(iter(range(1 << 70)))) == f"{1 << 70} items left"


class Own(List[int]):
    def __iter__(self) -> Any:
        raise AssertionError("code of the suite was run")

    __len__ = __iter__


class Sequence:
    def __init__(self) -> None:
        self.lengths = [3]

    def __len__(self) -> int:
        return self.lengths.pop()  # for ``reversed`` alone

    def __getitem__(self, index: int) -> int:
        raise AssertionError("code of the suite was run")


def test_code_of_the_suite_is_not_run() -> None:
    over_own: Any = list.__iter__(Own([1, 2]))
    assert (items_left(over_own), copied(over_own)) == (2, None)
    over_sequence = reversed(Sequence())
    assert (items_left(over_sequence), copied(over_sequence)) == (None, None)
    assert not is_iterator(type(iter(Sequence())))
