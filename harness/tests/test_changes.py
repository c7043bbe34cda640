"""What is told of a changed object besides its values: the sort of state, whether it matters, and how a fixture keeps it."""

from __future__ import annotations

import collections
import functools
import itertools
import random
import threading
import types
from typing import Any, Callable, Dict, List, Optional, Tuple
from unittest import mock

import pytest
from jostle_harness.changes import changed_places
from jostle_harness.messages import RestoreRecipe
from jostle_harness.places import Place
from jostle_harness.snapshot import Node, Sort, read, sort_of

PATH = "shop.thing"


class Thing:
    limit = 1

    def __init__(self) -> None:
        self.value = 1


@functools.lru_cache(maxsize=None)
def cached(number: int) -> int:
    return number


def noted(obj: Any, path: str = PATH, reach: Optional[str] = "shop", sort: Optional[Sort] = None) -> Node:
    sort = sort or sort_of(obj)
    assert sort is not None
    return Node(obj, path, sort, read(obj, sort), False, reach)


def only(node: Node) -> Place:
    place, *items = changed_places(node)
    assert all(item.name.startswith(f"{place.name}[") for item in items)
    return place


RECIPES: List[Tuple[str, Callable[[], Any], Callable[[Any], object], str]] = [
    ("list", lambda: [1], lambda obj: obj.append(2), "shop.thing"),
    ("list", lambda: bytearray(b"a"), lambda obj: obj.append(2), "shop.thing"),
    ("set", lambda: {1}, lambda obj: obj.add(2), "shop.thing"),
    ("dict", lambda: {"a": 1}, lambda obj: obj.update(a=2), 'shop.thing["a"]'),
    ("dict", dict, lambda obj: obj.update((n, n) for n in range(9)), "shop.thing"),
    ("lock", threading.Lock, lambda obj: obj.acquire(), "shop.thing"),
    ("cache", lambda: cached, lambda obj: obj(1), "shop.thing"),
    ("attribute", Thing, lambda obj: setattr(obj, "value", 2), "shop.thing.value"),
]


@pytest.mark.parametrize(("how", "make", "change", "name"), RECIPES)
def test_a_fixture_learns_how_to_keep_an_object(
    how: str, make: Callable[[], Any], change: Callable[[Any], object], name: str
) -> None:
    cached.cache_clear()
    node = noted(make())
    assert list(changed_places(node)) == []
    change(node.obj)
    place = only(node)
    attribute: Dict[str, str] = {"attribute": "value"} if how == "attribute" else {}
    assert place.name == name
    assert place.recipe == {"how": how, "module": "shop", "object": PATH, **attribute}


UNKEPT: List[Tuple[Callable[[], Any], Callable[[Any], object]]] = [
    (lambda: collections.deque([1]), lambda obj: obj.pop()),
    (lambda: random.Random(1), lambda obj: obj.random()),
    (lambda: itertools.count(1), next),
]


@pytest.mark.parametrize(("make", "change"), UNKEPT, ids=["deque", "Random", "count"])
def test_what_no_fixture_keeps_has_nothing_to_learn(make: Callable[[], Any], change: Callable[[Any], object]) -> None:
    node = noted(make())
    change(node.obj)
    assert only(node).recipe is None


PATHS: List[Tuple[str, Optional[str]]] = [
    ("shop.make.<locals>.thing", "shop"),
    ("shop.things[<object object>]", "shop"),
    ('shop.things["a…"]', "shop"),
    ("fixture thing (scope module)", "shop"),
    ("shop.thing", None),
]


@pytest.mark.parametrize(("path", "reach"), PATHS)
def test_what_no_expression_leads_to_has_nothing_to_learn(path: str, reach: Optional[str]) -> None:
    node = noted([1], path, reach)
    node.obj.append(2)
    assert only(node).recipe is None


def test_an_expression_may_be_another_than_the_path() -> None:
    node = noted([1], "default argument into of shop.collect")
    node.expression = "shop.collect.__defaults__[0]"
    node.obj.append(2)
    recipe: RestoreRecipe = {"how": "list", "module": "shop", "object": "shop.collect.__defaults__[0]"}
    assert only(node).recipe == recipe


def test_an_attribute_that_was_not_there_cannot_be_kept() -> None:
    node = noted(Thing())
    node.obj.more = 1
    place = only(node)
    assert (place.name, place.old, place.recipe) == ("shop.thing.more", "(absent)", None)
    assert place.restore is not None
    place.restore()
    assert not hasattr(node.obj, "more")


KINDS: List[Tuple[str, object, object, str]] = [
    ("shop.thing", 1, 2, "global/module state"),
    ("shop.app.dependency_overrides", 1, 2, "dependency override"),
    ("fixture app (scope session)", 1, 2, "session/module fixture state"),
    ("shop.thing", 1, mock.Mock(), "mock left active"),
    ("shop.thing", mock.Mock(), mock.Mock(), "global/module state"),
]


@pytest.mark.parametrize(("path", "old", "new", "kind"), KINDS)
def test_the_sort_of_state_is_told(path: str, old: object, new: object, kind: str) -> None:
    node = noted({"a": old}, path)
    node.obj["a"] = new
    assert only(node).kind == kind


def test_what_a_library_remembers_for_itself_is_weak() -> None:
    node = noted(Thing())
    node.foreign = True
    node.obj.value, node.obj._cache, node.obj.more = 2, 1, 1
    low_confidence = {place.name: place.low_confidence for place in changed_places(node)}
    assert low_confidence == {"shop.thing.value": False, "shop.thing._cache": True, "shop.thing.more": True}


def test_a_module_that_was_imported_is_told_by_the_module_table() -> None:
    node = noted(types.ModuleType("shop"), "shop", sort="attributes")
    node.obj.api = types.ModuleType("shop.api")
    assert list(changed_places(node)) == []


def test_an_ordered_dictionary_has_its_order_back() -> None:
    node = noted(collections.OrderedDict((n, n) for n in range(12)))
    node.obj.clear()
    node.obj.update((n, 0) for n in reversed(range(12)))
    place = only(node)
    assert place.restore is not None
    place.restore()
    assert list(node.obj.items()) == [(n, n) for n in range(12)]
