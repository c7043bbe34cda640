"""What tells that the place of a name has become another, of objects that are noted and of others that a name leads to."""

from __future__ import annotations

import io
import sys
import types
from typing import Any, Callable, List, Tuple

import pytest
from jostle_harness.graph import Graph
from jostle_harness.probes import node_probe

MOVES: List[Tuple[Callable[[], Any], Callable[[Any], object]]] = [
    (io.StringIO, lambda file: file.write("a")),
    (lambda: io.StringIO("a"), lambda file: file.truncate(0)),
    (lambda: io.BytesIO(b"a"), lambda file: file.read()),
    (io.BytesIO, lambda file: file.close()),
    (lambda: open(__file__, encoding="utf-8"), next),  # noqa: SIM115
    (lambda: open(__file__, "rb"), lambda file: file.read(1)),  # noqa: SIM115
    (lambda: iter([1, 2]), next),
    (lambda: reversed((1, 2)), next),
    (lambda: iter({1: 1}), next),
]


@pytest.mark.parametrize("is_noted", [True, False])
@pytest.mark.parametrize(("make", "move"), MOVES)
def test_what_moves_on_is_another(
    is_noted: bool, make: Callable[[], Any], move: Callable[[Any], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop: Any = types.ModuleType("shop")
    shop.thing = make()
    monkeypatch.setitem(sys.modules, "shop", shop)
    known = Graph(lambda name: is_noted)
    if is_noted:
        known.add_module("shop", shop)
        known.walk()
    probe = node_probe(known, "shop.thing")
    assert probe is not None
    before = probe()
    assert probe() == before
    move(shop.thing)
    assert probe() != before


SHOP = """
import functools

ITEMS = [[], 1]
PARTIAL = functools.partial(print, [], sep={})

def function(held=[], *, other={}):
    return held

class Kind:
    pass
"""
NAMED: List[Tuple[str, str]] = [
    ("shop.function", "shop.function = print"),
    ("shop.Kind", "shop.Kind = print"),
    ("shop.ITEMS[0]", "shop.ITEMS[0].append(1)"),
    ("shop.ITEMS[1]", "shop.ITEMS[1] = 2"),
    ("shop.PARTIAL.args[0]", "shop.PARTIAL.args[0].append(1)"),
    ('shop.PARTIAL.keywords["sep"]', 'shop.PARTIAL.keywords["sep"]["a"] = 1'),
]
#: What has another name if it is the project's.
OF_LIBRARIES: List[Tuple[str, str]] = [
    ("shop.function.__defaults__[0]", "shop.function().append(1)"),
    ('shop.function.__kwdefaults__["other"]', 'shop.function.__kwdefaults__["other"]["a"] = 1'),
]


@pytest.mark.parametrize(
    ("is_noted", "name", "change"),
    [(is_noted, *case) for is_noted in (True, False) for case in NAMED + (OF_LIBRARIES if not is_noted else [])],
)
def test_what_a_name_leads_to_is_another_once_it_is_changed(
    is_noted: bool, name: str, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop: Any = types.ModuleType("shop")
    exec(SHOP, vars(shop))
    monkeypatch.setitem(sys.modules, "shop", shop)
    known = Graph(lambda name: is_noted and name == "shop")
    if is_noted:
        known.add_module("shop", shop)
        known.walk()
    probe = node_probe(known, name)
    assert probe is not None
    before = probe()
    assert probe() == before
    exec(change, {"shop": shop})
    assert probe() != before
