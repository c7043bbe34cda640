"""What a library holds is put back as often as it is changed, whoever has noted what holds it."""

from __future__ import annotations

import io
import sys
import types
from typing import Any, Dict, Iterator, List

import pytest
from jostle_harness import limits
from jostle_harness.follow import Follower
from jostle_harness.graph import Graph
from jostle_harness.heap import Heap
from jostle_harness.places import Place
from jostle_harness.probes import node_probe

SOURCE = """
class Reader:
    kept = iter([1, 2, 3, 4])

    def __init__(self):
        self.feed = iter([1, 2, 3, 4])

class Slotted:
    __slots__ = ("feed",)
    __init__ = Reader.__init__

FEED = iter([1, 2, 3, 4])
FILE = open(__file__, "rb")
BY_NAME = {"feed": iter([1, 2, 3, 4])}
READER = Reader()
SLOTTED = Slotted()
"""


@pytest.fixture
def lib(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    module: Any = types.ModuleType("lib")
    module.__file__ = __file__
    exec(SOURCE, vars(module))
    monkeypatch.setitem(sys.modules, "lib", module)
    yield module
    module.FILE.close()


class Watched:
    """A library's state, as an explanation looks at it."""

    def __init__(self, lib: Any) -> None:
        self.graph = Graph(lambda name: False)
        self.graph.add_foreign("lib", lib)
        self.heap = Heap(lambda name: False, lambda name: name not in ("lib", "builtins", "_io"), ())
        self.heap.note()

    def changes(self) -> Dict[str, Place]:
        places: List[Place] = [*self.graph.changes(), *self.heap.changes(self.graph.knows)]
        return {place.name: place for place in places}


#: A place, what changes it, and what is seen of it.
PLACES = [
    ("lib.FEED", "next(lib.FEED)", "lib.FEED.__length_hint__()"),
    ("lib.FILE", "lib.FILE.close()", "lib.FILE.tell()"),
    ('lib.BY_NAME["feed"]', 'next(lib.BY_NAME["feed"])', 'lib.BY_NAME["feed"].__length_hint__()'),
    ("lib.READER.feed", "next(lib.READER.feed)", "lib.READER.feed.__length_hint__()"),
    ("lib.Reader.kept", "next(lib.Reader.kept)", "lib.Reader.kept.__length_hint__()"),
    ("lib.SLOTTED.feed", "next(lib.SLOTTED.feed)", "lib.SLOTTED.feed.__length_hint__()"),
]


@pytest.mark.parametrize(("name", "change", "sees"), PLACES)
def test_what_takes_the_place_of_another_is_put_back_as_well(name: str, change: str, sees: str, lib: Any) -> None:
    watched = Watched(lib)
    names = {"lib": lib}
    follower = Follower(name, lambda name: node_probe(watched.graph, name))
    before = eval(sees, names)
    for _ in range(3):
        exec(change, names)
        assert (follower.has_moved(), follower.differs()) == (True, True)
        changes = watched.changes()
        assert list(changes) == [name]
        restore = changes[name].restore
        assert restore is not None
        restore()
        follower.start()
        assert (eval(sees, names), list(watched.changes()), follower.has_moved()) == (before, [], False)


def test_the_layers_of_a_file_are_one_place(lib: Any) -> None:
    watched = Watched(lib)
    lib.FILE.read(3)
    assert list(watched.changes()) == ["lib.FILE"]
    lib.RAW = lib.FILE.raw
    watched = Watched(lib)
    lib.RAW.seek(0)
    assert "lib.RAW" in watched.changes()


@pytest.mark.parametrize("most", [1000, 999])
@pytest.mark.parametrize(
    ("held", "limit"), [(io.StringIO("a" * 1000), "KEPT_BYTES"), (iter(dict.fromkeys(range(1000))), "ENTRIES_OF_ONE")]
)
def test_what_is_too_long_to_keep_is_told_as_not_looked_at(
    held: object, limit: str, most: int, lib: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, limit, most)
    lib.held = held
    watched = Watched(lib)
    watched.graph.add_value("fixture held", held)
    watched.graph.walk()
    assert (watched.graph.is_cut_off, watched.heap.is_cut_off) == (most < 1000, most < 1000)
