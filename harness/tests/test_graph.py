"""What a project's modules hold: each change is found at the place a developer would name, and undone in that object."""

from __future__ import annotations

import sys
import types
from typing import Dict, Iterator, List, Tuple

import pytest
from jostle_harness import graph, limits
from jostle_harness.graph import Graph
from jostle_harness.places import Place

MODULE = """
import collections, functools, itertools, random, threading
from unittest import mock

number = 1
items = []
prices = {"tea": 2}
seen = {1}
raw = bytearray(b"ab")
recent = collections.deque([1, 2], maxlen=3)
ordered = collections.OrderedDict(a=1)
nested = {"a": [{"b": []}]}
pair = ([], 1)
dice = random.Random(3)
lock = threading.Lock()
numbers = itertools.count(5)
steps = (step for step in range(9))

class Cart:
    shared = []
    limit = 3
    def __init__(self):
        self.lines = []
        self.paid = False

cart = Cart()

class Point:
    __slots__ = ("x", "tags")
    def __init__(self):
        self.x = 1

class Corner(Point):
    __slots__ = ("__round", "__dict__")
    def __init__(self):
        super().__init__()
        self.__round = [False]
        self.name = "a"

point = Point()
corner = Corner()

class Hostile:
    def __init__(self):
        self.value = 1
    def __eq__(self, other):
        raise AssertionError("code of the suite was run")
    __hash__ = None
    def __repr__(self):
        raise AssertionError("code of the suite was run")

hostile = Hostile()

class Lazy:
    asked = 0
    def __init__(self):
        self.target = None
    @property
    def __class__(self):
        type(self).asked += 1
        raise RuntimeError("what this stands for is not there yet")

lazy = Lazy()

def collect(item, into=[], *, by={}):
    into.append(item)
    by[item] = 1

def counter():
    count = 0
    names = []
    def step(name):
        nonlocal count
        count += 1
        names.append(name)
    return step

step = counter()

@functools.lru_cache(maxsize=None)
def square(x):
    return x * x

def fetch():
    pass
"""

#: What is done, and each place that has changed by it: its name, and how its values are shown.
CHANGES: List[Tuple[str, List[Tuple[str, str, str]]]] = [
    ("shop.number = 2", [("shop.number", "1", "2")]),
    ("shop.number = 1", []),
    ("del shop.number", [("shop.number", "1", "(absent)")]),
    ("shop.added = 3", [("shop.added", "(absent)", "3")]),
    ("shop.items.append(1)", [("shop.items", "[]", "[1]")]),
    ("shop.items = []", [("shop.items", "[]", "[]")]),
    ("shop.prices['tea'] = 3", [('shop.prices["tea"]', "2", "3")]),
    ("shop.prices['milk'] = 1", [('shop.prices["milk"]', "(absent)", "1")]),
    ("shop.prices.clear()", [('shop.prices["tea"]', "2", "(absent)")]),
    (
        "shop.prices.update((n, n) for n in range(45))",
        [("shop.prices", "{'tea': 2}", "{'tea': 2, 0: 0, 1: 1, 2: 2, 3: 3, … 41 more}")],
    ),
    ("shop.seen.add(2)", [("shop.seen", "{1}", "{1, 2}")]),
    ("shop.raw += b'c'", [("shop.raw", "b'ab'", "b'abc'")]),
    ("shop.recent.append(3)", [("shop.recent", "[1, 2]", "[1, 2, 3]")]),
    ("shop.ordered['b'] = 2", [('shop.ordered["b"]', "(absent)", "2")]),
    ("shop.nested['a'][0]['b'].append(1)", [('shop.nested["a"][0]["b"]', "[]", "[1]")]),
    ("shop.pair[0].append(1)", [("shop.pair[0]", "[]", "[1]")]),
    ("shop.dice.random()", [("shop.dice", "its state", "another state")]),
    ("shop.lock.acquire()", [("shop.lock", "unlocked", "locked")]),
    ("shop.Cart.shared.append(1)", [("shop.Cart.shared", "[]", "[1]")]),
    ("shop.Cart.limit = 4", [("shop.Cart.limit", "3", "4")]),
    ("shop.cart.lines.append(1)", [("shop.cart.lines", "[]", "[1]")]),
    ("shop.cart.paid = True", [("shop.cart.paid", "False", "True")]),
    ("shop.point.x = 2", [("shop.point.x", "1", "2")]),
    ("shop.point.tags = []", [("shop.point.tags", "(absent)", "[]")]),
    ("del shop.point.x", [("shop.point.x", "1", "(absent)")]),
    ("shop.corner.name = 'b'", [("shop.corner.name", "'a'", "'b'")]),
    ("shop.corner.x = 3", [("shop.corner.x", "1", "3")]),
    ("shop.corner._Corner__round.append(1)", [("shop.corner._Corner__round", "[False]", "[False, 1]")]),
    ("shop.hostile.value = 2", [("shop.hostile.value", "1", "2")]),
    (
        "shop.collect('a')",
        [
            ('default argument by of shop.collect["a"]', "(absent)", "1"),
            ("default argument into of shop.collect", "[]", "['a']"),
        ],
    ),
    (
        "shop.step('a')",
        [
            ("variable count that shop.counter.<locals>.step encloses", "0", "1"),
            ("variable names that shop.counter.<locals>.step encloses", "[]", "['a']"),
        ],
    ),
    ("shop.square(2)", [("shop.square", "0 cached results", "1 cached results")]),
    ("shop.fetch.calls = 1", [("shop.fetch.calls", "(absent)", "1")]),
]


@pytest.fixture
def shop() -> Iterator[types.ModuleType]:
    module = types.ModuleType("shop")
    exec(compile(MODULE, "shop.py", "exec"), vars(module))
    sys.modules["shop"] = module
    yield module
    del sys.modules["shop"]


def is_own(name: str) -> bool:
    return name.split(".")[0] == "shop"


def loaded(*values: Tuple[str, object]) -> Graph:
    return graph.loaded(is_own, values)


def found(known: Graph) -> Dict[str, Place]:
    """What has changed in the project and what it uses; other tests of this process are none of its business."""
    return {place.name: place for place in known.changes() if "shop" in place.name}


@pytest.mark.parametrize(("change", "places"), CHANGES, ids=[change for change, _ in CHANGES])
def test_a_change_is_found_and_undone_where_it_was_made(
    shop: types.ModuleType, change: str, places: List[Tuple[str, str, str]]
) -> None:
    known = loaded()
    identities = {name: id(value) for name, value in vars(shop).items()}
    exec(change, {"shop": shop})
    changed = found(known)
    assert [
        (place.name, place.old, place.new) for place in sorted(changed.values(), key=lambda place: place.name)
    ] == places
    for place in changed.values():
        assert place.restore is not None
        place.restore()
    assert found(known) == {}
    assert {name: id(value) for name, value in vars(shop).items()} == identities


def test_a_counter_is_replaced_as_it_cannot_be_put_back(shop: types.ModuleType) -> None:
    known = loaded()
    for _ in range(2):  # what has taken its place is looked at from then on
        next(shop.numbers)
        [place] = found(known).values()
        assert (place.name, place.old, place.new) == ("shop.numbers", "'count(5)'", "'count(6)'")
        assert place.restore is not None
        place.restore()
        assert found(known) == {}
    assert next(shop.numbers) == 5


def test_a_generator_is_told_and_cannot_be_put_back(shop: types.ModuleType) -> None:
    known = loaded()
    next(shop.steps)
    [place] = found(known).values()
    assert (place.name, place.restore) == ("shop.steps", None)


def test_a_place_that_is_known_before_has_its_name_from_there(shop: types.ModuleType) -> None:
    known = loaded(("parameter lines of test_shop", shop.cart.lines))
    shop.cart.lines.append(1)
    assert [place.name for place in known.changes() if place.new == "[1]"] == ["parameter lines of test_shop"]


def test_an_object_that_stands_for_another_is_not_asked_for_it(shop: types.ModuleType) -> None:
    known = loaded(("parameter user of test_shop", shop.lazy))
    shop.lazy.target = shop.Lazy()
    places = [(place.name, place.new) for place in known.changes() if "shop" in place.name]
    assert places == [("parameter user of test_shop.target", "<shop.Lazy target=None>")]
    assert shop.Lazy.asked == 0


def test_what_others_have_is_told_by_what_its_names_are_bound_to(
    shop: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = types.ModuleType("payments")
    other.fee, other.rates = 1, []  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "payments", other)
    known = loaded()
    other.fee = 2  # type: ignore[attr-defined]
    other.rates.append(1)
    assert [place.name for place in known.changes() if "payments" in place.name] == ["payments.fee"]


def test_what_is_watched_elsewhere_is_no_part(shop: types.ModuleType) -> None:
    known = graph.loaded(is_own, (), [shop.items])
    shop.items.append(1)
    assert found(known) == {}


LIMITS = [("OBJECTS", 4), ("REFERENCES", 4), ("CHILDREN", 1)]


@pytest.mark.parametrize(("limit", "count"), LIMITS)
def test_what_is_too_much_is_told_as_not_looked_at_and_never_as_changed(
    shop: types.ModuleType, monkeypatch: pytest.MonkeyPatch, limit: str, count: int
) -> None:
    shop.many = [[number] for number in range(20)]  # type: ignore[attr-defined]
    assert not loaded().is_cut_off
    monkeypatch.setattr(limits, limit, count)
    known = loaded()
    assert known.is_cut_off
    assert found(known) == {}
    for inner in shop.many:
        inner.append(0)
    told = found(known)
    assert len(told) < 20 and set(told) <= {f"shop.many[{at}]" for at in range(20)}


def test_a_place_leads_to_the_object_that_holds_it(shop: types.ModuleType) -> None:
    known = loaded()
    for name, obj in [
        ("shop.cart.paid", shop.cart),
        ('shop.prices["tea"]', shop.prices),
        ("shop.items", shop.items),
        ("shop.itemsets", shop),
    ]:
        node = known.holder(name)
        assert node is not None and node.obj is obj, name
    assert known.holder("workshop.items") is None


def test_what_lies_too_deep_is_told_as_not_looked_at_unless_another_path_leads_there(shop: types.ModuleType) -> None:
    shop.deep = inner = [0]  # type: ignore[attr-defined]
    for _ in range(limits.DEPTH - 1):
        shop.deep = [shop.deep]  # type: ignore[attr-defined]
    assert not loaded().is_cut_off
    shop.deep = [shop.deep]  # type: ignore[attr-defined]
    known = loaded()
    assert known.is_cut_off
    inner.append(1)
    assert found(known) == {}
    shop.near = inner  # type: ignore[attr-defined]
    known = loaded()
    assert not known.is_cut_off
    inner.append(2)
    assert set(found(known)) == {"shop.near"}


def test_what_cannot_change_may_lie_as_deep_as_it_likes(shop: types.ModuleType) -> None:
    shop.deep = ("a", (1, frozenset({2})))  # type: ignore[attr-defined]
    for _ in range(limits.DEPTH - 1):
        shop.deep = [shop.deep]  # type: ignore[attr-defined]
    assert not loaded().is_cut_off
