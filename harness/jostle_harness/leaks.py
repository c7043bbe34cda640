"""What each test leaves changed, and each import and each fixture that several tests share: told after each of them.

All tests run in one process, in the order of the plan. After each, a cheap look tells what may have changed, and what has is
named and told. What a test has left is put back then, where that is safe, so that the next one is seen to leave the same. What
is of installed code, a cache or an import stays: such comes about once in a process, and costs much to come about again. Threads,
processes, descriptors, files, databases and generators of random numbers stay as well, and are taken for what was there from then on.

What a fixture of a wider scope changes while it is set up is no test's. What is left of it after its teardown is its own.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import types
import warnings
from typing import TYPE_CHECKING, Any, Callable, Container, Dict, Generator, Iterator, List, Optional, Sequence, Tuple

import pluggy
import pytest

from . import collector, library_state, limits, messages, patchers, pytest_private
from .child_starts import ChildStarts
from .contexts import ContextVariables
from .crash import fixture, fixture_place, is_of_project
from .explain import Explainer
from .graph import add_loaded, looked_at
from .leftovers import CHILD, DESCRIPTOR, GARBAGE, OPEN, children, descriptor_name, unnumbered
from .named_state import NamedState
from .opened import Opened
from .places import Place, show
from .process_state import ProcessState
from .servers import Servers
from .settled import FILTERS, STAYS, Words, comes_along, is_cache, is_settled, may_be_first_use, use_libraries
from .writes import Writes

if TYPE_CHECKING:
    from .channel import Channel

#: What is shown of a value that says nothing of itself.
_OPAQUE = ("another state", "another file", "another loop", "open")
#: What was changed and not yet undone, by name.
_Pending = Dict[str, Place]


class Leaks(Explainer):
    """Watches the state around each test."""

    def __init__(self, channel: Channel, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._channel = channel
        self._opened = Opened()
        self._position = 0
        self._watched: Sequence[str] = arguments[0]["watch"]
        self._words = Words(_conftests(self._config))
        self._watch = None  # in all that is run, and not to the last test
        self._has_begun = False
        #: How many objects were noted when all were noted last.
        self._size = 0
        #: The values of shared fixtures that are set up by now, each under its place's name.
        self._values: Dict[int, Tuple[str, object]] = {}
        self._child_starts: Optional[ChildStarts] = None
        #: What the test that runs has changed before a fixture was set up or torn down in its course.
        self._of_test: _Pending = {}
        #: What fixtures have changed that are set up by now, each with how the places begin that are of the class or module
        #: that it serves: what it sets there is for these tests alone; and for which test it was set up.
        self._of_fixtures: Dict[int, Tuple[str, _Pending, int]] = {}

    def before(self, position: int, is_last: bool, channel: Channel, item: Optional[pytest.Item]) -> None:
        """Begin with the next test."""
        self._position = position

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_setup(self) -> Generator[None, None, None]:
        """Note how everything is, before the first test. All looks are made where pytest captures and has its own handlers in
        place, so that none of that differs from one to the next."""
        if self._position < self._from:
            yield
            return
        if not self._has_begun:
            self._begin()
        self._of_test = {}
        self._opened.forget()
        self._filters = list(warnings.filters)
        yield

    def note(self) -> None:
        """Note how everything is, for all who go on from here."""
        use_libraries()
        self.start()

    def take_up(self, instructions: messages.Instructions, items: Sequence[pytest.Item]) -> None:
        """Watch other places, in a fork that goes on with these tests."""
        self._watched = instructions["watch"]

    def _begin(self) -> None:
        self._has_begun = True
        was_noted = self._graph is not None
        if not was_noted:
            self.note()
        with collector.held_back():
            self._changes()  # what noting has changed itself, and what is another where pytest captures
            if was_noted:
                self._renew_small(True)
        if self._watched:
            self._writes = Writes(self._watched, self._rootdir, self._probe)
            self._writes.start()
            if any(name.startswith(CHILD) for name in self._watched):
                self._child_starts = ChildStarts(self._rootdir, children)

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_teardown(  # type: ignore[override]
        self, item: pytest.Item, nextitem: Optional[pytest.Item]
    ) -> Generator[None, None, None]:
        """Tell, once all is torn down that is no more needed, what a test has left, and put it back."""
        yield
        if self._graph is None:
            return
        self._process_state.streams.next_item = nextitem
        with collector.held_back():
            written = self._written()
            left = _left(self._of_test, self._changes())
            told = [*left, *self._changed_filters()]
            self._tell(told, written, position=self._position, source=str(item.path))
            self._undo(left)
            self._forget_what_is_gone()

    def _forget_what_is_gone(self) -> None:
        """Note all anew once much has come: what was noted is kept alive, and looked at after each test, though nothing else may
        lead to it any more."""
        assert self._graph is not None
        size = self._graph.size + self._heap.size
        if self._size == 0:
            self._size = size
        elif size > self._size * limits.GROWN:
            self._renew()
            self._size = self._graph.size + self._heap.size

    def _changed_filters(self) -> Iterator[Place]:
        """The filters of warnings, if a test has left others and pytest puts them back after it."""
        if list(warnings.filters) != self._filters and self._config.pluginmanager.hasplugin("warnings"):
            yield Place(FILTERS, "logging/warnings", show(self._filters), show(list(warnings.filters)), None)

    def follow(self, position: int, channel: Channel, next_item: Optional[pytest.Item]) -> None:
        """Nothing is left to be told after a test."""

    def tell_read(self, channel: Channel) -> None:
        """Look no more."""
        if self._writes is not None:
            self._writes.stop()
        if self._child_starts is not None:
            self._child_starts.stop()
        self._opened.is_heard = False
        self._leftovers.stop()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, pluggy.Result[object], None]:
        """Charge what a fixture changes to the fixture, as long as tests share it."""
        watched = self._graph is not None and pytest_private.is_wide(fixturedef)
        if watched:
            self._of_test.update(self._since(self._of_test))
        outcome = yield
        if not watched or outcome.excinfo is not None:
            return
        assert self._graph is not None
        own = request.module.__name__ + "." if fixturedef.scope in ("class", "module") else ""
        if fixturedef.scope == "class" and request.cls is not None:
            own += request.cls.__qualname__ + "."
        self._of_fixtures[id(fixturedef)] = (own, self._since({}), self._position)
        self._values[id(fixturedef)] = (fixture_place(fixturedef, self._rootdir), outcome.get_result())
        self._graph.add_value(*self._values[id(fixturedef)])
        self._graph.walk()
        if self._writes is not None:
            self._writes.resolve()
        fixturedef.addfinalizer(lambda: self._of_test.update(self._since(self._of_test)))

    @pytest.hookimpl
    def pytest_fixture_post_finalizer(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Tell what a fixture has left."""
        self._values.pop(id(fixturedef), None)
        noted = self._of_fixtures.pop(id(fixturedef), None)
        if noted is None:
            return
        own, before, position = noted
        with collector.held_back():
            written = self._written()
            left = _left(before, self._changes())
            left = [place for place in left if not own or not place.name.startswith(own)]
            if not is_of_project(fixturedef, self._rootdir):  # pytest and plugins keep what they please
                return
            code = getattr(fixturedef.func, "__code__", None)
            line = None if code is None else code.co_firstlineno
            of = fixture(fixturedef, "teardown", self._rootdir)
            source = "" if code is None else code.co_filename
            self._tell(left, written, position=position, source=source, fixture=of, line=line)
            self._undo(left)

    def _since(self, before: _Pending) -> _Pending:
        """What has changed since it was last looked, by name, with what it was before all of it."""
        with collector.held_back():
            found: _Pending = {}
            for place in self._changes():
                first = before.get(place.name)
                if first is not None:
                    place.old, place.restore = first.old, first.restore
                found[place.name] = place
            return found

    def _written(self) -> Dict[str, messages.Written]:
        """Where the places in question were written last, so far."""
        written = {} if self._writes is None else self._writes.found()
        if self._child_starts is not None:
            for name in self._watched:
                started = self._child_starts.of(name[len(CHILD) :]) if name.startswith(CHILD) else None
                if started is not None:
                    written[name] = started
        return written

    def _tell(
        self,
        places: List[Place],
        written: Dict[str, messages.Written],
        position: int,
        source: str,
        fixture: Optional[messages.Fixture] = None,
        line: Optional[int] = None,
    ) -> None:
        if places:
            words = self._words.of(source)
            self._channel.send(message(places, self.is_own, position, fixture, None, line, written, words))

    def _undo(self, places: List[Place]) -> None:
        """Put back what may be put back, and take everything else as it is."""
        put_back = False
        grown = _grown(places)
        for place in reversed(places):
            if place.restore is None or place.low_confidence or place.kind in STAYS or is_cache(place):
                continue
            if place.name.startswith(grown):
                continue
            put_back = True
            with contextlib.suppress(Exception):  # a value that refuses stays
                place.restore()
        if put_back:
            self._changes()

    def _changes(self) -> List[Place]:
        """What has changed since this was last asked."""
        with contextlib.nullcontext() if self._writes is None else self._writes.held_back():
            try:
                return self._told_once(list(self._changed()))
            except Exception:  # an object that cannot be looked at; all is noted anew then
                self._is_cut_off = True
                self._renew()
                return []

    def _changed(self) -> List[Place]:
        assert self._graph is not None
        nodes = self._graph.touched()
        self._heap.leave_to_others(self._graph.glanced)
        objects = self._heap.touched(looked_at(nodes))
        context = self._contexts.differ()
        self._leftovers.looks_at_ports = self._opened.may_be_ports
        places = [
            *self._servers.changes(),
            *(place for place in self._graph.changes(nodes) if not self._process_state.covers(place.name)),
            *self._process_state.changes(self.is_own),
            *(self._contexts.changes() if context else ()),
            *(place for place in self._leftovers.changes() if place.name != GARBAGE),
            *(self._heap.changes(self._graph.knows, objects) if objects else ()),
            *self._files.left(self._opened),
        ]
        places += (place for place in self._named.changes() if all(place.name != other.name for other in places))
        places = [place for place in places if self._is_told(place)]
        self._graph.note_anew(nodes)
        self._heap.note_anew(objects)
        if places:
            self._renew_small(context)
        if any(place.name.startswith("sys.modules[") for place in places):
            self._note_imported()
        return places

    def _start(self) -> None:
        super()._start()
        self._leave_out()

    def _leave_out(self) -> None:
        """Look not at what pytest sets for each test."""
        if self._config.pluginmanager.hasplugin("warnings"):
            self._process_state.leave_out(FILTERS)

    def _note_imported(self) -> None:
        """Note what was imported since."""
        assert self._graph is not None
        self._own.clear()
        add_loaded(self._graph, self.is_own)
        self._heap.note_imported()

    def _renew(self) -> None:
        """Note all objects anew."""
        files, streams = self._files, self._process_state.streams
        self._leftovers.stop()
        self._start()
        self._files = files
        self._process_state.streams.take_copies(streams)
        self._leftovers.note_descriptors()
        assert self._graph is not None
        for name, value in self._values.values():
            self._graph.add_value(name, value)
        self._graph.walk()
        self._graph.touched()
        self._heap.leave_to_others(self._graph.glanced)
        self._heap.touched()

    def _renew_small(self, context: bool) -> None:
        """Note anew what is no object of a module's."""
        streams = self._process_state.streams
        self._process_state = ProcessState(pytest_private.capture_manager(self._config))
        self._process_state.streams.take_copies(streams)
        self._leave_out()
        if context:
            self._contexts = ContextVariables(self.is_own, self._is_runner)
        self._leftovers.note_anew()
        self._servers = Servers(self._server_settings, self.is_own, self._used)
        self._named = NamedState(self._named_places)

    def _told_once(self, places: List[Place]) -> List[Place]:
        """The places under names of their own, as others know them."""
        found: List[Place] = []
        seen: Dict[str, int] = {}
        for place in patchers.merged(iter(places)):
            if place.told_by_items:
                continue
            library_state.make_known(place)
            if place.name.startswith(DESCRIPTOR) and place.new.startswith(OPEN):
                place.name = descriptor_name(place.new)
            elif place.kind == "thread":
                place.name = unnumbered(place.name)
            seen[place.name] = seen.get(place.name, 0) + 1
            if seen[place.name] > 1:
                if place.in_library:  # told as a setting already
                    continue
                place.name += f" ({seen[place.name]})"
            found.append(place)
        return found

    def _watched_elsewhere(self) -> Iterator[object]:
        """As well: what the import system finds its files by."""
        yield from super()._watched_elsewhere()
        yield sys.path_importer_cache
        yield from sys.path_importer_cache.values()

    def _is_told(self, place: Place) -> bool:
        """Whether a place is neither what pytest itself sets for each test, and puts back after it, nor what the import system
        finds its files by."""
        if place.name.startswith(("warnings.", "_py_warnings.", "_warnings.")):
            return not self._config.pluginmanager.hasplugin("warnings")
        return not place.name.startswith("sys.path_importer_cache")


def _conftests(config: pytest.Config) -> Iterator[str]:
    """The files that share fixtures with tests, or change things for them."""
    for plugin in config.pluginmanager.get_plugins():
        file = getattr(plugin, "__file__", None)
        if isinstance(plugin, types.ModuleType) and isinstance(file, str) and os.path.basename(file) == "conftest.py":
            yield file


class ImportLeaks:
    """What the import of each file leaves of the process's state, while the suite is collected.

    That an import makes modules, and all that they hold, is what it is for. pytest itself puts folders on the path, and puts back
    the filters of warnings once all is collected.
    """

    def __init__(self, channel: Channel, rootdir: str, watched: Sequence[str]) -> None:
        self._channel = channel
        self._threads = set(threading.enumerate())
        self._state = ProcessState()
        self._writes: Optional[Writes] = None
        if watched:
            self._writes = Writes(watched, rootdir, lambda name: self._state.probe(name) or self._threads_now)
            self._writes.start()

    def _threads_now(self) -> object:
        return [thread for thread in threading.enumerate() if thread not in self._threads]

    def look(self, file: str) -> None:
        """Tell what has changed since this was made."""
        written = {} if self._writes is None else self._writes.found()
        if self._writes is not None:
            self._writes.stop()
        places = [
            *(
                place
                for place in self._state.changes(lambda _: False)
                if not place.name.startswith(("sys.path", "sys.modules", "warnings.")) and place.kind != "random state"
            ),
            *(
                Place(unnumbered(f"thread {thread.name}"), "thread", "(absent)", "runs", None, True)
                for thread in threading.enumerate()
                if thread not in self._threads
            ),
        ]
        self._state.streams.close_copies()
        if places:
            self._channel.send(message(places, lambda _: False, file=file, written=written))


def message(
    places: List[Place],
    is_own: Callable[[str], bool],
    position: Optional[int] = None,
    fixture: Optional[messages.Fixture] = None,
    file: Optional[str] = None,
    line: Optional[int] = None,
    written: Optional[Dict[str, messages.Written]] = None,
    words: Container[str] = (),
) -> messages.Left:
    """What is told of those that were left."""
    lines = written or {}
    settled = [
        at for at, place in enumerate(places) if is_settled(place, is_own, words) or comes_along(place, places, is_own)
    ]
    first_use = [at for at, place in enumerate(places) if at not in settled and may_be_first_use(place, is_own, words)]
    told = [place.message() for place in places]
    return {
        "type": "left",
        "position": position,
        "fixture": fixture,
        "file": file,
        "line": line,
        "places": told,
        "settled": settled,
        "first_use": [] if position is None or fixture is not None else first_use,
        "written": [(at, lines[place.name]) for at, place in enumerate(places) if place.name in lines],
    }


def _left(before: _Pending, now: List[Place]) -> List[Place]:
    """What is left of changes that came one after the other: not what the later ones have undone."""
    found: List[Place] = []
    names = set()
    for place in now:
        names.add(place.name)
        first = before.get(place.name)
        if first is not None:
            if first.old == place.new or place.new in _OPAQUE:  # of which it cannot be told whether it is the first
                continue
            place.old, place.restore = first.old, first.restore
        found.append(place)
    return [place for name, place in before.items() if name not in names] + found


def _grown(places: List[Place]) -> Tuple[str, ...]:
    """How the places of modules begin that have got functions or classes: code that is made as the project runs is bound to what
    else its module keeps of it, such as a counter of names, and would not find it if a part of that were put back."""
    of_modules = (
        place.name.rpartition(".")[0]
        for place in places
        if place.old == "(absent)" and place.new.startswith(("<function ", "<class "))
    )
    return tuple(f"{module}." for module in of_modules if module in sys.modules)
