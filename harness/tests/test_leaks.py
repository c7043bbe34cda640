"""What is touched is found at a glance and noted anew, and of changes one after the other only what is left is told."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest
from jostle_harness.glance import Glance
from jostle_harness.graph import Graph
from jostle_harness.heap import Heap
from jostle_harness.leaks import _grown, _left
from jostle_harness.places import Place
from jostle_harness.settled import Words, is_settled, may_be_first_use

SOURCE = """
import threading

class Cart:
    limit = 1

ITEMS = {"a": [1]}
LOCK = threading.Lock()
CART = Cart()
"""


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Any:
    module: Any = types.ModuleType("shop")
    module.__file__ = __file__
    exec(SOURCE, vars(module))
    monkeypatch.setitem(sys.modules, "shop", module)
    return module


def test_a_glance_tells_what_refers_to_others_and_once() -> None:
    held = [[number] for number in range(250)]
    glance = Glance()
    glance.add(list(enumerate(held)))
    assert glance.touched() == []
    held[7].append(1000)
    assert 7 in glance.touched()
    assert glance.touched() == []


def _graph(shop: Any) -> Graph:
    graph = Graph(lambda name: name == "shop")
    graph.add_module("shop", shop)
    graph.walk()
    graph.touched()
    return graph


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ("ITEMS['a'].append(2)", 'shop.ITEMS["a"]'),
        ("ITEMS['b'] = 1", 'shop.ITEMS["b"]'),
        ("Cart.limit = 2", "shop.Cart.limit"),
        ("CART.owner = 'ada'", "shop.CART.owner"),
        ("LOCK.acquire()", "shop.LOCK"),
    ],
)
def test_what_a_project_holds_is_told_once_changed_and_then_taken_as_it_is(shop: Any, change: str, place: str) -> None:
    graph = _graph(shop)
    exec(change, vars(shop))
    touched = graph.touched()
    assert [found.name for found in graph.changes(touched)] == [place]
    graph.note_anew(touched)
    assert list(graph.changes(graph.touched())) == []


def test_what_has_come_is_looked_at_from_then_on(shop: Any) -> None:
    graph = _graph(shop)
    shop.NEW = []
    graph.note_anew(graph.touched())
    shop.NEW.append(1)
    assert [place.name for place in graph.changes(graph.touched())] == ["shop.NEW"]


def test_so_is_what_has_come_to_a_library(shop: Any) -> None:
    heap = Heap(lambda name: False, lambda name: name not in ("shop", "builtins", "_thread"), ())
    heap.note()
    heap.touched()
    shop.ITEMS["b"] = []
    touched = heap.touched()
    assert [place.name for place in heap.changes(lambda _: None, touched)] == ['shop.ITEMS["b"]']
    heap.note_anew(touched)
    shop.ITEMS["b"].append(1)
    assert [place.name for place in heap.changes(lambda _: None, heap.touched())] == ['shop.ITEMS["b"]']


def _place(name: str, old: str, new: str, low_confidence: bool = False) -> Place:
    return Place(name, "global/module state", old, new, None, low_confidence)


def test_what_was_undone_is_not_left() -> None:
    before = {"a": _place("a", "1", "2"), "b": _place("b", "1", "2"), "c": _place("c", "1", "2")}
    left = _left(before, [_place("a", "2", "1"), _place("b", "2", "3"), _place("d", "1", "2")])
    assert [(place.name, place.old, place.new) for place in left] == [("c", "1", "2"), ("b", "1", "3"), ("d", "1", "2")]


def test_what_a_library_remembers_for_itself_is_settled_and_what_it_is_told_is_not() -> None:
    def settled(*place: Any) -> bool:
        return is_settled(_place(*place), lambda name: name == "shop")

    assert settled("lib._cache", "None", "<lib.Cache object>", True)
    assert settled("lib.inited", "False", "True", True)
    assert settled("variable cached that lib.find encloses", "3 cached results", "4 cached results", True)
    assert settled('lib.sine_cache["7"]', "(absent)", "1", True)
    assert settled("lib.Pool", "(absent)", "<class lib.pools.Pool>", True)
    assert settled("shop.Cart.__slotnames__", "(absent)", "[]")
    assert not settled("lib.Pool", "(absent)", "<class other.Pool>", True)
    assert not settled("lib.Pool", "<class lib.pools.Pool>", "<class lib.pools.Fake>", True)
    assert settled("lib.version", "''", "'3.1'", True)
    assert not settled("lib.inited", "False", "True")
    assert not settled("lib.digits", "'01'", "'1'", True)
    assert not settled('lib._handlers["x"]', "(absent)", "<function shop.handle>", True)


def test_what_a_test_names_or_gives_is_no_first_use() -> None:
    words = {"shop", "price", "ada", "Cart", "limit", "9", "1", "1.0", "more"}

    def may_be(*place: Any) -> bool:
        return may_be_first_use(_place(*place), lambda name: name == "shop", words)

    assert may_be("shop.price._code", "(absent)", "'def made(): ...'")
    assert may_be('shop._compiled["double"]', "(absent)", "<function shop.<lambda>>")
    assert may_be("shop._count", "3", "5")
    assert may_be("shop.made_1", "(absent)", "<function shop.make.<locals>.made_1>")
    assert may_be("shop._version", "''", "'9.1.9'")
    assert may_be("shop._cache", "{}", "{(7, 2): <shop.Basket of=<shop.price.Price>>, 'x': <shop.price.P…")
    assert may_be("shop._cache", "{}", "{2: 3, … 9 more}")
    assert not may_be("shop._version", "''", "'1.0'")
    assert not may_be("shop._cache", "{}", "{<shop.Basket object>: 'ada'}")
    assert not may_be("shop._cache", "{}", "['<ada>']")
    assert not may_be("shop._cache", "{}", "['7 < 2', 'ada']")
    assert not may_be("shop._cache", "{}", "{'x': 'see <ada>', 'y': <shop.Basket of=<shop.Price>>}")
    assert not may_be("shop._user", "None", "'ada'")
    assert not may_be('shop._carts["ada"]', "(absent)", "<shop.Basket object>")
    assert not may_be("shop._cart", "None", "<shop.Cart object>")
    assert not may_be("shop._limit[limit]", "None", "3")
    assert not may_be("shop._count", "5", "3")
    assert not may_be("shop.debug", "False", "True")
    assert not may_be("shop.made_1", "(absent)", "<function tests.test_shop.test_made.<locals>.made>")
    assert not may_be("parameter G of test_x._adj", "{}", "{1: 2}")
    assert not is_settled(_place("lib.limit", "None", "3", True), lambda name: False, words)
    assert is_settled(_place("lib.level", "None", "3", True), lambda name: False, words)


def test_several_numbers_in_a_text_are_one_word_of_a_test_file(tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text("def test_it():\n    connect('127.0.0.1:5432', since='2026-11-29')\n", encoding="utf-8")
    words = Words([]).of(str(file))
    assert {"connect", "127", "127.0.0.1", "127.0.0.1:5432", "2026-11-29"} <= words
    assert "11.29" not in words


def test_a_module_that_has_got_code_keeps_what_it_has_of_it(shop: Any) -> None:
    places = [
        Place("shop.compiled_1", "global/module state", "(absent)", "<function shop.add>", None),
        Place("shop.Cart.count", "global/module state", "0", "1", None),
        Place("shop.Cart.area", "global/module state", "(absent)", "<function shop.area>", None),
        Place("shopping.count", "global/module state", "0", "1", None),
        Place('os.environ["A"]', "environment", "(absent)", "'1'", None),
    ]
    kept = _grown(places)
    assert [place.name.startswith(kept) for place in places] == [True, True, True, False, False]
    assert _grown(places[1:]) == ()
