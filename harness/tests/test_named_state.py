"""Places that the user has named: read by the suite's own code, told where they have changed, and put back."""

from __future__ import annotations

import pathlib
import sys
import types
from typing import Any, Callable, Iterator, List, Optional, Tuple

import pytest
from jostle_harness.messages import NamedPlace
from jostle_harness.named_state import NamedState
from jostle_harness.writes import Writes

SHOP = """
import collections, threading

CARTS = {"a": [1]}
COUNTS = collections.Counter(a=1)
RAW = bytearray(b"a")
LOOP = {}
LOOP["itself"] = LOOP
NAMES = ["ann"]
SEEN = {1}
RATE = 1
HELD = object()
_tenant = [{"id": 1}]

def tenant():
    return _tenant[0]

def switch(value):
    _tenant[0] = value

def fails():
    raise ValueError("no\\ntenant")

def leaves():
    raise SystemExit

class Broken(Exception):
    def __str__(self):
        raise ValueError

def breaks():
    raise Broken

def fresh():
    return object()

_lock = threading.Lock()
_locked = 1

def locked():
    with _lock:
        return _locked

def set_locked(value):
    global _locked
    with _lock:
        _locked = value
"""


@pytest.fixture
def shop() -> Iterator[Any]:
    """A module that holds state."""
    module = types.ModuleType("shop")
    exec(SHOP, vars(module))
    sys.modules["shop"] = module
    yield module
    del sys.modules["shop"]


def place(get: str, is_getter: bool = False, setter: Optional[str] = None) -> NamedPlace:
    return {"name": get, "get": get, "is_getter": is_getter, "set": setter}


CHANGES: List[Tuple[NamedPlace, Callable[[Any], object], str, str]] = [
    (place("shop:CARTS"), lambda shop: shop.CARTS["a"].append(2), "{'a': [1]}", "{'a': [1, 2]}"),
    (place("shop:NAMES"), lambda shop: shop.NAMES.clear(), "['ann']", "[]"),
    (place("shop:SEEN"), lambda shop: shop.SEEN.add(2), "{1}", "{1, 2}"),
    (
        place("shop:COUNTS"),
        lambda shop: shop.COUNTS.update("ab"),
        "{'a': 1}",
        "{'a': 2, 'b': 1}",
    ),
    (place("shop:RAW"), lambda shop: shop.RAW.append(98), "bytearray(b'a')", "bytearray(b'ab')"),
    (place("shop:CARTS"), lambda shop: setattr(shop, "CARTS", {}), "{'a': [1]}", "{}"),
    (place("shop:RATE"), lambda shop: setattr(shop, "RATE", 2), "1", "2"),
    (place("shop:HELD"), lambda shop: setattr(shop, "HELD", 2), "<object object>", "2"),
    (
        place("shop:RATE"),
        lambda shop: delattr(shop, "RATE"),
        "1",
        "(cannot be read: AttributeError: module 'shop' has no attribute 'RATE')",
    ),
    (place("shop:tenant", True, "shop:switch"), lambda shop: shop.switch({"id": 2}), "{'id': 1}", "{'id': 2}"),
    (place("shop:tenant", True, "shop:switch"), lambda shop: shop.tenant().clear(), "{'id': 1}", "{}"),
]


@pytest.mark.parametrize(("named", "change", "old", "new"), CHANGES)
def test_what_has_changed_is_told_and_put_back(
    shop: Any, named: NamedPlace, change: Callable[[Any], object], old: str, new: str
) -> None:
    state = NamedState([named])
    probe = state.probe(named["name"])
    assert probe is not None and list(state.changes()) == []
    before = probe()
    change(shop)
    assert probe() != before
    [found] = state.changes()
    assert (found.name, found.old, found.new) == (named["name"], old, new)
    assert found.restore is not None
    found.restore()
    assert list(state.changes()) == [] and probe() == before


def test_what_no_function_sets_cannot_be_put_back(shop: Any) -> None:
    state = NamedState([place("shop:tenant", True)])
    shop.switch(None)
    [found] = state.changes()
    assert found.restore is None and found.recipe is None


@pytest.mark.parametrize(
    ("named", "why"),
    [
        (place("shop:NOTHING"), "shop:NOTHING: AttributeError: module 'shop' has no attribute 'NOTHING'"),
        (place("shop:fails", True), "shop:fails: ValueError: no tenant"),
        (place("shop:leaves", True), "shop:leaves: SystemExit: "),
        (place("shop:breaks", True), "shop:breaks: Broken: "),
        (place("shop:fresh", True), "shop:fresh: it is another object each time it is asked for, and no plain data"),
        (place("nowhere:x"), "nowhere:x: the module nowhere is not imported"),
    ],
)
def test_what_cannot_be_read_is_told_with_the_reason(shop: Any, named: NamedPlace, why: str) -> None:
    state = NamedState([named, place("shop:RATE")])
    assert (list(state.changes()), state.unread()) == ([], [why])


def test_a_fixture_that_keeps_a_place_calls_its_functions(shop: Any) -> None:
    state = NamedState([place("shop:tenant", True, "shop:switch"), place("shop:RATE")])
    shop.switch(None)
    shop.RATE = 2
    assert [found.recipe for found in state.changes()] == [
        {"how": "setting", "module": "shop", "object": "shop.tenant()", "value": "shop.switch"},
        {"how": "attribute", "module": "shop", "object": "shop", "attribute": "RATE"},
    ]


def test_what_holds_itself_is_told_by_which_object_it_is(shop: Any) -> None:
    state = NamedState([place("shop:LOOP")])
    shop.LOOP["more"] = 1
    assert list(state.changes()) == []
    shop.LOOP = {}
    assert [found.name for found in state.changes()] == ["shop:LOOP"]


def test_who_has_the_object_by_another_name_sees_it_put_back(shop: Any) -> None:
    carts = shop.CARTS
    state = NamedState([place("shop:CARTS")])
    carts.clear()
    shop.CARTS = {}
    [found] = state.changes()
    assert found.restore is not None
    found.restore()
    assert shop.CARTS is carts and carts == {"a": [1]}


def test_a_getter_is_not_called_where_its_module_may_hold_a_lock(shop: Any, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "shop.py"
    file.write_text(SHOP)
    exec(compile(SHOP, str(file), "exec"), vars(shop))
    state = NamedState([place("shop:locked", True, "shop:set_locked")])
    writes = Writes("shop:locked", str(tmp_path), state.probe)
    writes.start()
    shop.set_locked(2)
    written = writes.stop()
    assert written is not None and written["function"] == "set_locked"
    assert SHOP.splitlines()[written["line"] - 1].strip() in ("_locked = value", "with _lock:")
