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
ROWS = [[1], [2]]
PAIR = ([1],)
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

def counts():
    SEEN.add(len(SEEN) + 10)
    return len(SEEN)

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
    done = True
    return done

def set_rate():
    global RATE
    RATE = 2
    done = True
    return done

class Settings:
    rate = property(lambda self: locked())

SETTINGS = Settings()

def set_property(value):
    set_locked(value)
    done = True
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
    assert list(state.changes()) == []
    change(shop)
    [found] = state.changes()
    assert (found.name, found.old, found.new) == (named["name"], old, new)
    assert found.restore is not None
    found.restore()
    assert list(state.changes()) == []


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
        (place("shop:counts", True), "shop:counts: it is another each time it is asked for"),
        (
            place("shop:fresh", True),
            "shop:fresh: it is another object each time it is asked for, and no data of Python's own types",
        ),
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


@pytest.mark.parametrize(
    ("get", "line"),
    [("set_locked(2)", "shop.set_locked(2)"), ("set_property(2)", "shop.set_property(2)")],
)
def test_what_runs_code_is_read_where_its_module_holds_no_lock(
    get: str, line: str, shop: Any, tmp_path: pathlib.Path
) -> None:
    files = {"shop.py": SHOP, "test_shop.py": f"import shop\n\nshop.{get}\nx = 1\n"}
    named = {"set_locked(2)": place("shop:locked", True, "shop:set_locked")}
    state = NamedState([named.get(get, place("shop:SETTINGS.rate"))])
    [(found, _)] = state._old
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    exec(compile(SHOP, str(tmp_path / "shop.py"), "exec"), vars(shop))
    writes = Writes([found["name"]], str(tmp_path), state.probe)
    writes.start()
    exec(compile(files["test_shop.py"], str(tmp_path / "test_shop.py"), "exec"), {})
    written = writes.stop().get(found["name"])
    assert written is not None
    assert files[written["file"]].splitlines()[written["line"] - 1].strip() == line


def test_all_that_plain_data_is_made_of_is_put_back(shop: Any) -> None:
    first = shop.ROWS[0]
    state = NamedState([place("shop:ROWS"), place("shop:PAIR")])
    first.append(2)
    shop.ROWS.insert(0, [])
    shop.PAIR[0].append(2)
    for found in state.changes():
        assert found.restore is not None
        found.restore()
    assert list(state.changes()) == []
    assert shop.ROWS[0] is first and (shop.ROWS, shop.PAIR) == ([[1], [2]], ([1],))


def test_what_a_getter_gives_is_looked_at_and_what_an_object_has_is_left_to_others(shop: Any) -> None:
    state = NamedState([place("shop:tenant", True, "shop:switch"), place("shop:CARTS")])
    probe = state.probe("shop:tenant")
    assert probe is not None and state.probe("shop:CARTS") is None
    before = probe()
    shop.switch({"id": 2})
    assert probe() != before
