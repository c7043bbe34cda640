"""Iterators are told by how much is left of them, from which nothing is taken, and others with as much left replace them."""

from __future__ import annotations

import builtins
import collections
from typing import Any, Callable, List

import pytest
from jostle_harness import limits
from jostle_harness.changes import changed_places
from jostle_harness.iterators import Left, how_far, is_iterator, items_left
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


def noted(iterator: Any) -> Node:
    node = Node(iterator, "shop.items", "whole", Left(iterator), False, "shop")
    node.rebind = lambda _: None
    return node


def test_one_of_unknown_length_is_taken_for_unchanged() -> None:
    node = noted(reversed(Digits()))
    assert str(node.state) == "how many items are left is not known"
    assert list(node.obj) == [2, 1, 0]
    assert (items_left(node.obj), list(changed_places(node))) == (0, [])


def test_one_that_nobody_knows_where_to_bind_is_told() -> None:
    node = Node(iter([1]), "shop.items[0]", "whole", Left(iter([1])), False, "shop")
    next(node.obj)
    [place] = changed_places(node)
    assert (place.new, place.restore) == ("exhausted", None)


@pytest.mark.parametrize("held", [{1: 1, 2: 2}, {1, 2}])
def test_one_over_what_has_grown_cannot_go_on(held: Any) -> None:
    node = noted(iter(held))
    held.update({3: 3})
    before = Left(node.obj)
    for _ in range(2):  # whether or not somebody has tried
        [place] = changed_places(node)
        assert (place.old, place.new) == ("2 items left", "cannot go on: what it iterates over has changed")
        assert place.restore is not None
        with pytest.raises(RuntimeError):
            next(node.obj)
    assert (before, before.again) == (Left(node.obj), None)


def test_one_over_a_list_that_has_grown_is_where_it_was() -> None:
    held = [1, 2, 3]
    node = noted(iter(held))
    before = how_far(node.obj)
    held.append(4)
    assert (list(changed_places(node)), how_far(node.obj)) == ([], before)
    next(node.obj)
    [place] = changed_places(node)
    assert (place.old, place.new) == ("3 items left from index 0 on", "3 items left from index 1 on")
    assert how_far(node.obj) != before


def test_one_over_a_queue_that_has_grown_is_put_back_to_where_it_was() -> None:
    held = collections.deque((1, 2, 3))
    node = noted(iter(held))
    next(node.obj)
    node.state = Left(node.obj)
    held.append(4)
    with pytest.raises(RuntimeError):
        next(node.obj)
    [place] = changed_places(node)
    assert place.restore is not None
    place.restore()
    assert list(node.obj) == [2, 3, 4]


@pytest.mark.parametrize("make", [lambda: iter({1: 1, 2: 2, 3: 3}), lambda: iter({1, 2, 3}), lambda: iter([1, 2, 3])])
def test_what_is_left_is_listed_up_to_a_limit(make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ENTRIES_OF_ONE", 2)
    node = noted(make())
    is_listed = len(node.obj.__reduce__()) == 2  # and has no index
    assert node.state.is_cut_off == is_listed
    next(node.obj)
    [place] = changed_places(node)
    assert (place.old, place.new, place.restore is None) == ("3 items left", "2 items left", is_listed)


def test_another_way_to_iterate_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    iterator = iter([1])
    monkeypatch.setattr(builtins, "iter", lambda *_: 1 / 0)
    assert Left(iterator).again is None


def test_one_of_any_length_is_told() -> None:
    assert str(Left(iter(range(1 << 70)))) == f"{1 << 70} items left"


class Own(List[int]):
    def __iter__(self) -> Any:
        raise AssertionError("code of the suite was run")

    __len__ = __iter__


class Digits:
    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> int:
        return index


class Sequence:
    def __init__(self) -> None:
        self.lengths = [3]

    def __len__(self) -> int:
        return self.lengths.pop()  # for ``reversed`` alone

    def __getitem__(self, index: int) -> int:
        raise AssertionError("code of the suite was run")


def test_code_of_the_suite_is_not_run() -> None:
    over_own: Any = list.__iter__(Own([1, 2]))
    assert (items_left(over_own), Left(over_own).again) == (2, None)
    over_sequence = reversed(Sequence())
    assert (items_left(over_sequence), Left(over_sequence).again) == (None, None)
    assert not is_iterator(type(iter(Sequence())))
