"""Places that the user has named: read by the suite's own code, told where they have changed, and put back."""

from __future__ import annotations

import sys
import types
from typing import Any, Callable, Iterator, List, Optional, Tuple

import pytest
from jostle_harness.messages import NamedPlace
from jostle_harness.named_state import NamedState

SHOP = """
CARTS = {"a": [1]}
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
    raise ValueError("no tenant")
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
    (place("shop:RATE"), lambda shop: setattr(shop, "RATE", 2), "1", "2"),
    (place("shop:HELD"), lambda shop: setattr(shop, "HELD", 2), "<object object>", "2"),
    (place("shop:RATE"), lambda shop: delattr(shop, "RATE"), "1", "(absent)"),
    (place("shop:tenant", True, "shop:switch"), lambda shop: shop.switch({"id": 2}), "{'id': 1}", "{'id': 2}"),
    (place("shop:tenant", True, "shop:switch"), lambda shop: shop.tenant().clear(), "{'id': 1}", "{}"),
]


@pytest.mark.parametrize(("named", "change", "old", "new"), CHANGES)
def test_what_has_changed_is_told_and_put_back(
    shop: Any, named: NamedPlace, change: Callable[[Any], object], old: str, new: str
) -> None:
    state = NamedState([named])
    probe = state.probe(named["name"])
    assert probe is not None and state.changes() == []
    before = probe()
    change(shop)
    assert probe() != before
    [found] = state.changes()
    assert (found.name, found.old, found.new) == (named["name"], old, new)
    assert found.restore is not None
    found.restore()
    assert state.changes() == [] and probe() == before


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
        (place("nowhere:x"), "nowhere:x: the module nowhere is not imported"),
    ],
)
def test_what_cannot_be_read_is_told_with_the_reason(shop: Any, named: NamedPlace, why: str) -> None:
    state = NamedState([named, place("shop:RATE")])
    assert (state.changes(), state.unread()) == ([], [why])


def test_a_fixture_that_keeps_a_place_calls_its_functions(shop: Any) -> None:
    state = NamedState([place("shop:tenant", True, "shop:switch"), place("shop:RATE")])
    shop.switch(None)
    shop.RATE = 2
    assert [found.recipe for found in state.changes()] == [
        {"how": "setting", "module": "shop", "object": "shop.tenant()", "value": "shop.switch"},
        {"how": "attribute", "module": "shop", "object": "shop", "attribute": "RATE"},
    ]
