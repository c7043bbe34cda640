"""Explaining a failure: what state a prefix of tests changed, and what becomes of the last test with places restored.

The ``explain`` field of the setup says which places are restored before the last test of the list, once it was told what
has changed since before the first, and which place is watched meanwhile to see where it is written, and
then where the last test reads it. A place that is
followed is told of after every test instead, and put back there if it is to be.
With ``import`` all this is about the import of that file, and not about the tests.
"""

from __future__ import annotations

import itertools
import re
import sys
import threading
from typing import TYPE_CHECKING, Any, Callable, Dict, Generator, Iterator, List, Optional, Sequence, Set, Tuple

import pluggy
import pytest

from . import collector, graph, library_state, limits, messages, patchers, pytest_private
from .channel import Channel, text
from .contexts import ContextVariables
from .crash import fixture, fixture_place, inside
from .files import Files
from .follow import Follower
from .graph import Graph
from .heap import RUNNERS, Heap
from .leftovers import GARBAGE, Leftovers
from .named_state import NamedState
from .path_bindings import PathBindings
from .places import Place, show
from .pools import Pools
from .probes import Finder, Probe, file_probe, node_probe
from .process_state import ProcessState
from .reads import Reads
from .servers import Servers
from .writes import Writes

if TYPE_CHECKING:
    #: A fixture, and the request that it was set up for.
    _SetUp = Tuple[pytest.FixtureDef[Any], pytest.FixtureRequest]


class Explainer:
    """Watches the state from its making to :meth:`look`."""

    def __init__(
        self,
        instructions: messages.Instructions,
        rootdir: str,
        config: pytest.Config,
        items: Sequence[pytest.Item] = (),
        named_places: Sequence[messages.NamedPlace] = (),
        servers: Sequence[messages.Server] = (),
    ) -> None:
        self._restore: Set[str] = set(instructions["restore"])
        self._watch: Optional[str] = next(iter(instructions["watch"]), None)
        self._follow: Optional[str] = instructions["follow"]
        #: The place in the list of the test before which the state is noted.
        self._from: int = instructions["from"]
        #: The fixture before whose teardown is looked, and not before the last test.
        self._teardown: Optional[messages.Fixture] = instructions["teardown"]
        self._early: List[_SetUp] = []
        self._follower: Optional[Follower] = None
        self._is_import = instructions["import"] is not None
        #: Whether what each test leaves is told, so that all of them name places as one.
        self._looks_after_each = instructions["left"]
        self._writes: Optional[Writes] = None
        self._reads: Optional[Reads] = None
        self._rootdir = rootdir
        self._config = config
        self._items = items
        self._named_places = named_places
        self._server_settings = servers
        self._own: Dict[str, bool] = {}
        #: Whether there was something that could not be looked at.
        self._is_cut_off = False
        self._plugins = pytest_private.plugin_modules(config)
        self._fixtures: List[_SetUp] = []
        #: Fixtures of any scope that were set up, each with its function.
        self._used: List[Tuple[str, Any]] = []
        self._graph: Optional[Graph] = None
        self._read: Optional[messages.Line] = None
        #: What has changed before the last test, if that was asked already.
        self._noted: Optional[List[Place]] = None

    def before(self, position: int, is_last: bool, channel: Channel, item: Optional[pytest.Item]) -> None:
        """Do what there is to do before a test."""
        if position == self._from:
            self.start()
            self._look_before_teardown(channel)
        if is_last and self._teardown is None:
            self.look(channel, item)

    def note(self) -> None:
        """Find out what has changed, for all that :meth:`look` before the next test from here on."""
        if self._graph is not None:
            with collector.held_back():
                self._noted = list(self._places())

    def take_up(self, instructions: messages.Instructions, items: Sequence[pytest.Item]) -> None:
        """Take other instructions of what is to be put back, in a fork that goes on with these tests."""
        self._restore = set(instructions["restore"])

    def _look_before_teardown(self, channel: Channel) -> None:
        """Have the fixture that is set up by now look first when it is torn down."""
        for definition, _ in self._early:
            if self._teardown == fixture(definition, "teardown", self._rootdir):
                definition.addfinalizer(lambda: self.look(channel))

    def start(self) -> None:
        """Note how everything is."""
        with collector.held_back():
            self._start()
        collector.provide()

    def _start(self) -> None:
        self._leftovers = Leftovers(self._rootdir)
        self._files = Files(self._rootdir, lambda: PathBindings(self.is_own))
        self._servers = Servers(self._server_settings, self.is_own, self._used)
        self._pools = Pools(self.is_own)
        self._process_state = ProcessState(pytest_private.capture_manager(self._config))
        self._named = NamedState(self._named_places)
        self._contexts = ContextVariables(self.is_own, self._is_runner)
        # What a test that pollutes itself is given is its own before it is whoever else's.
        itself = len({id(item) for item in self._items}) == 1 and not self._looks_after_each
        parameters = self._parameters()
        plain = [(path, value) for path, value in parameters if itself and type(value) in (dict, list, set)]
        self._graph = graph.loaded(self.is_own, plain, self._process_state.held())
        self._add_conftests(self._graph)
        for path, value in parameters:
            self._graph.add_value(path, value)
        for definition, _ in self._early:
            if definition.cached_result is not None:
                self._graph.add_value(fixture_place(definition, self._rootdir), definition.cached_result[0])
        self._graph.walk()
        self._heap = Heap(self.is_own, self._is_runner, self._watched_elsewhere())
        if not self._is_followed_elsewhere():
            try:
                self._heap.note()
            except Exception:  # an object that cannot be looked at: what was noted before it is told
                self._is_cut_off = True
        self._leftovers.note_descriptors()  # what the others keep open is no test's
        if self._watch == GARBAGE:
            self._leftovers.watch_garbage()
        elif self._watch is not None:
            self._writes = Writes([self._watch], self._rootdir, self._probe)
            self._writes.start()
            self._reads = Reads(self._watch, self._rootdir)
        if self._follow is not None:
            self._follower = Follower(self._follow, self._probe)

    def _is_followed_elsewhere(self) -> bool:
        """Whether the only place that matters is told without the heap, of which a copy slows many tests down."""
        name = self._follow
        if name is None or library_state.raw_name(name) != name or name in patchers.LIBRARIES:
            return False
        assert self._graph is not None
        return (
            any(find(name) is not None for find in self._finders())
            or file_probe(name, self._rootdir) is not None
            or self._graph.tells(name)
        )

    def _watched_elsewhere(self) -> Iterator[object]:
        """What is told of as settings, as tables and as threads, and what the harness's own use of a module changes."""
        yield from self._process_state.held()
        yield from (value for name, value in vars(re).items() if name in ("_cache", "_cache2"))
        yield from (threading._active, threading._limbo)  # type: ignore[attr-defined]
        yield threading._dangling.data  # type: ignore[attr-defined]

    def _finders(self) -> Iterator[Finder]:
        """What finds the places of what was noted as no object of the project's or of a library's."""
        yield from (
            self._named.probe,
            self._process_state.probe,
            self._contexts.probe,
            self._leftovers.probe,
            self._servers.probe,
            self._pools.probe,
        )

    def _probe(self, name: str) -> Optional[Probe]:
        """What tells whether the place of a name is another by now."""
        assert self._graph is not None
        name = library_state.raw_name(name)
        for find in (*self._finders(), patchers.probe):
            probe = find(name)
            if probe is not None:
                return probe
        return file_probe(name, self._rootdir) or node_probe(self._graph, name)

    def is_own(self, name: str) -> bool:
        """Whether a module is the project's."""
        if name not in self._own:
            file = getattr(sys.modules.get(name), "__file__", None)
            own = isinstance(file, str) and inside(file, self._rootdir) is not None
            self._own[name] = own and name.split(".")[0] != "jostle_harness"
        return self._own[name]

    def _is_runner(self, name: str) -> bool:
        """Whether a module is of those that run the suite: pytest, its plugins or jostle."""
        if self.is_own(name):
            return False
        package = name.partition(".")[0]
        return package in RUNNERS or name in self._plugins and package not in patchers.LIBRARIES

    def _add_conftests(self, known: Graph) -> None:
        """Several files may be the module ``conftest``, of which the module table holds one."""
        for plugin in self._config.pluginmanager.get_plugins():
            file = getattr(plugin, "__file__", None)
            if isinstance(plugin, type(sys)) and isinstance(file, str) and plugin not in sys.modules.values():
                path = inside(file, self._rootdir)
                if path is not None:
                    known.add_module(path, plugin)
        known.walk()

    def _parameters(self) -> List[Tuple[str, object]]:
        """The parameters of the tests: one lives as long as its test, and a test may change it."""
        named = ((item, *pair) for item in self._items for pair in pytest_private.parameters(item))
        return [(f"parameter {name} of {item.name}", value) for item, name, value in named]

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, pluggy.Result[object], None]:
        """Note the values of wider fixtures, and the files they made, as they are when they begin to be shared."""
        outcome = yield
        if (fixturedef.argname, fixturedef.func) not in self._used:
            self._used.append((fixturedef.argname, fixturedef.func))
        if self._graph is None and fixturedef.scope != "function" and outcome.excinfo is None:
            self._early.append((fixturedef, request))
        if self._graph is None or fixturedef.scope == "function" or outcome.excinfo is not None:
            return
        self._fixtures.append((fixturedef, request))
        self._graph.add_value(fixture_place(fixturedef, self._rootdir), outcome.get_result())
        self._graph.walk()
        self._files.note_new()
        self._servers.note_new()
        if self._writes is not None:
            self._writes.resolve()
        if self._follower is not None:
            self._follower.resolve()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """The last test fails before it is torn down."""
        if self._teardown is None and self._reads is not None and self._graph is None:
            self._read = self._reads.stop()

    def tell_read(self, channel: Channel) -> None:
        """Tell, after the last test, where that read the place which is watched."""
        if self._reads is not None and self._teardown is not None and self._graph is None:
            self._read = self._reads.stop()
        if self._reads is not None and self._read is not None:
            channel.send(messages.Read(type="read", **self._read))

    def follow(self, position: int, channel: Channel, next_item: Optional[pytest.Item]) -> None:
        """Tell, after a test, what has become of the place that is followed, and put it back if it is to be."""
        if self._follower is None:
            return
        moved = self._follower.has_moved()
        changed = self._follower.differs()
        if changed and moved and self._restore:
            self._process_state.streams.next_item = next_item
            failed = self._put_back([place for place in self._places() if place.name in self._restore])
            changed = not failed
            self._follower.start()
        channel.send(messages.Followed(type="followed", position=position, moved=moved, changed=changed))

    def look(self, channel: Channel, next_item: Optional[pytest.Item] = None) -> None:
        """Tell what has changed, and restore what is to be restored."""
        with collector.held_back():
            self._look(channel, next_item)

    def _look(self, channel: Channel, next_item: Optional[pytest.Item]) -> None:
        if self._follower is not None or self._graph is None:
            return
        written = None if self._writes is None else next(iter(self._writes.stop().values()), None)
        places = list(self._places()) if self._noted is None else self._noted
        self._leftovers.stop()
        if self._watch == GARBAGE:
            written = self._look_at_garbage(places)
        changes = [place.message() for place in places[: limits.PLACES]]
        cut_off = (
            self._graph is not None
            and self._graph.is_cut_off
            or self._heap.is_cut_off
            or self._is_cut_off
            or self._files.is_cut_off
            or self._servers.is_cut_off
            or len(places) > limits.PLACES
        )
        self._process_state.streams.next_item = next_item
        failed = self._put_back(places)
        # What is kept alive here would end in the last test otherwise, or not at all.
        self._graph = self._noted = None
        self._heap.forget()
        channel.send(
            messages.Changed(
                type="changed",
                places=changes,
                cut_off=cut_off,
                failed=failed,
                unread=self._named.unread(),
                written=written,
                no_line=self._no_line() if written is None else None,
            )
        )
        if self._reads is not None and not self._is_import:
            self._reads.start()

    def _no_line(self) -> Optional[messages.NoLine]:
        """Why the line that has written the place which is watched is not told, if it was looked for."""
        return None if self._writes is None or self._watch is None else self._writes.no_line(self._watch)

    def _look_at_garbage(self, places: List[Place]) -> Optional[messages.Written]:
        """Have the objects that are left to the collector told by what they are. Returns where the first was made."""
        shown, made_at = self._leftovers.garbage()
        for place in places:
            if place.name == GARBAGE:
                place.new = shown
        return None if made_at is None else {**made_at, "call": None}

    def _places(self) -> Iterator[Place]:
        assert self._graph is not None
        seen: Dict[str, int] = {}
        sources = (
            # Few, and told in full however much else there is.
            self._servers.changes(),
            self._pools.changes(),
            (place for place in self._graph.changes() if not self._is_told_elsewhere(place.name)),
            self._process_state.changes(self.is_own),
            self._contexts.changes(),
            self._leftovers.changes(),
            self._heap.changes(self._graph.knows),
            self._files.changes(),
            self._made_fixtures(),
        )
        found = itertools.chain.from_iterable(map(self._as_far_as_it_goes, sources))
        # The user may have named what is told anyway.
        named = (place for place in self._as_far_as_it_goes(self._named.changes()) if place.name not in seen)
        for place in itertools.chain(patchers.merged(found), named):
            library_state.make_known(place)
            seen[place.name] = seen.get(place.name, 0) + 1
            if seen[place.name] > 1:
                place.name += f" ({seen[place.name]})"
            if self._is_import:
                place.kind = "import-time"
            yield place

    def _is_told_elsewhere(self, name: str) -> bool:
        return self._process_state.covers(name) or self._pools.covers(name)

    def _as_far_as_it_goes(self, places: Iterator[Place]) -> Iterator[Place]:
        """The places until one cannot be told: a suite may have put anything in the place of what is asked."""
        try:
            yield from places
        except Exception:
            self._is_cut_off = True

    def _made_fixtures(self) -> Iterator[Place]:
        """Fixtures of a wider scope that are set up by now and were not before: to restore one is to set it up anew."""
        for definition, request in self._fixtures:
            if definition.cached_result is None:
                continue
            name = fixture_place(definition, self._rootdir)
            recipe: messages.RestoreRecipe = {"how": "fixture", "object": name, "scope": definition.scope}
            code = getattr(definition.func, "__code__", None)
            if code is not None:
                recipe = {**recipe, "file": code.co_filename, "line": code.co_firstlineno}
            value = definition.cached_result[0]
            finish = _finisher(definition, request)
            kind: messages.Kind = "session/module fixture state"
            yield Place(
                fixture_place(definition, self._rootdir), kind, "(not set up)", show(value), finish, True, recipe
            )

    def _put_back(self, places: List[Place]) -> List[str]:
        """Restore what is to be restored; tells what could not be."""
        failed = []
        for place in reversed(places):
            if place.name in self._restore and place.restore is not None:
                try:
                    place.restore()
                except Exception:  # a table that is locked, a value that refuses: the experiment says nothing then
                    failed.append(text(place.name))
        known = {place.name for place in places if place.restore is not None}
        return failed + sorted(text(name) for name in self._restore - known)


def _finisher(definition: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Callable[[], None]:
    return lambda: pytest_private.finish(definition, request)
