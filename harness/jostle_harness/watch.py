"""Watches a worker's tests: either notes what they touch, or lets them touch it only in their turn.

In a controlled trial one worker runs at a time. It asks for its turn before each call on a resource that it shares
with another worker, and gives it away while it sleeps. Calls are seen as audit events, as calls of C functions by the
profiling hook (writing to an open file raises no audit event), and by stand-ins for what raises neither. The hook is
dear, and set only where something shared is open.
"""

from __future__ import annotations

import _socket
import contextlib
import io
import os
import pathlib
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING, Any, Callable, Dict, FrozenSet, Iterator, List, Optional, Tuple, Union

from . import limits, messages, pytest_private
from .channel import Channel, Setup, text
from .connections import Connections
from .effects import Effect, Effects
from .idle import Idle
from .kernel import Kernel
from .lines import Lines
from .messages import Operation
from .outside import EVENTS, Access, Outside, last_names
from .profile_hook import ProfileHook

if TYPE_CHECKING:
    import pytest

#: What changes whenever a database does.
_Version = Tuple[Optional[int], ...]

_list_folder = os.listdir  # bound now: a test may replace it
_STREAMS = (io.TextIOWrapper, io.BufferedIOBase, io.RawIOBase)
_WRITING: Dict[str, Operation] = {"write": "write", "writelines": "write", "truncate": "truncate", "flush": "flush"}
_READING = frozenset(("read", "readline", "readlines", "read1", "readinto"))
_CLOSING = frozenset(("close", "__exit__"))
_FLUSHING = _CLOSING | {"flush"}
_SQL: Dict[str, Operation] = {
    "execute": "execute",
    "executemany": "executemany",
    "executescript": "executescript",
    "commit": "commit",
    "rollback": "rollback",
    "__exit__": "commit",
}
#: Events before a subprocess is started.
_STARTING = frozenset(("subprocess.Popen", "os.posix_spawn", "os.system", "os.fork", "os.forkpty", "os.spawn"))
_HEARD = _STARTING | frozenset(EVENTS)
#: Events of calls on two paths.
_TWO_PATHS = frozenset(("os.rename", "os.link", "os.symlink"))
#: Events of the profiling hook that a call is made.
_CALLS = frozenset(("call", "c_call"))
_METHODS = frozenset(_WRITING) | _READING | _CLOSING | frozenset(_SQL) | {"listen", "set_trace_callback"}


class Watch:
    """What there is in a worker whose trial wants to be watched."""

    def __init__(self, channel: Channel, setup: Setup, rootdir: str) -> None:
        assert setup.watch is not None
        self._channel = channel
        self._outside = Outside(setup, rootdir)
        self._at = None if setup.watch["at"] is None else frozenset(setup.watch["at"])
        self._ends = None if self._at is None else last_names(self._at)
        self._main = threading.main_thread().ident
        self._pid = os.getpid()
        self._busy = threading.local()
        self._running = False
        self._hook = ProfileHook(self._profile)
        #: Whether something shared may be open; nothing before the first test.
        self._shared_open: Optional[bool] = None
        self._turn = self._turn_before = 0
        self._in_teardown = False
        self._idle = Idle()
        #: Whether the test has started a subprocess: whoever waits for that is idle, and waits for nobody else.
        self._subprocess = False
        self._asked: Dict[Tuple[str, str, str], int] = {}
        self._fixtures: List[str] = []
        self._used: List[str] = []
        self._touched: Dict[Tuple[Access, Optional[str]], messages.Access] = {}
        self._databases: Dict[str, Tuple[_Version, str]] = {}
        self._effects = Effects(self._tell_effect)
        self._connections = Connections()
        sys.addaudithook(self._hear)
        for name in ("stat", "lstat", "access"):
            self._stand_in(name)
        if self._at is not None:
            self._stand_in_for_sleep()
        #: Of what is sent to servers jostle knows the line by these.
        self._lines = Lines(self._outside) if setup.watch["statements"] else None
        self._kernel = Kernel()
        if setup.watch["system_calls"]:
            self._kernel.start(channel, setup.watch["filter"], self._outside, self._lines)

    def process(self) -> messages.Process:
        """What this process is known by, so that jostle can see whether it computes or waits."""
        try:
            namespace = os.readlink("/proc/self/ns/pid")
            return {"pid": self._pid, "namespace": namespace, "channel": self._channel.fileno()}
        except OSError:
            return {}

    def come(self) -> None:
        """The first test is next: wait for the turn, which lasts until a call asks for the next."""
        if self._at is not None:
            self._wait(lambda turn: messages.Comes(type="comes", turn=turn))

    def start(self, position: int, item: pytest.Item) -> None:
        """A test starts."""
        self._subprocess = False
        if self._at is None:
            self._kernel.is_at(position=position, started=None)
            self._touched, self._used, self._databases = {}, _wide_fixtures(item), {}
            self._connections.look()
            if self._lines is not None:
                self._hook.set()
        else:
            self._turn_before, self._in_teardown = self._turn, False
            if self._shared_open is None:
                self._kernel.is_at(position=position)  # once, as turns are not counted by tests
                self._shared_open = self._may_share_open(self._at)
            if self._shared_open:
                self._hook.set()
        self._running = True
        self._idle.start()

    def finish(self, position: int) -> None:
        """The test is over: tell what it touched."""
        self._running = False
        self._hook.unset()
        if self._lines is not None:
            self._lines.forget()
        if self._at is not None:
            self._tell_rest()
            return
        self._kernel.is_at(position=None)
        for path, (before, place) in self._databases.items():
            if _version(path) != before:
                self._note(self._outside.file(path, "write", True), place)
        for peer, kind in self._connections.look():
            self._note(self._outside.port(peer, kind, "connect to", False), None)
        accesses, fixtures = list(self._touched.values()), sorted(set(self._used))
        self._channel.send(messages.Touched(type="touched", position=position, accesses=accesses, fixtures=fixtures))

    def tear_down(self) -> None:
        """The test is over but for its teardown. That is no news before it has asked for a turn, if all asking is done here."""
        if self._in_teardown:
            return
        self._in_teardown = True
        if self._at is None:
            return
        if self._kernel.works:
            self._kernel.tears_down()
        elif self._turn > self._turn_before:
            self._channel.send(messages.Teardown(type="teardown"))

    @contextlib.contextmanager
    def fixture(self, definition: pytest.FixtureDef[Any]) -> Iterator[None]:
        """While a fixture of a wider scope is set up, and later torn down, what is touched is charged to it."""
        name = fixture_name(definition)
        self._used.append(name)
        # The finalizer that is added first runs last.
        definition.addfinalizer(lambda: self._leave(name))
        self._enter(name)
        try:
            yield
        finally:
            self._leave(name)
            definition.addfinalizer(lambda: self._enter(name))

    def _enter(self, name: str) -> None:
        self._fixtures.append(name)
        self._kernel.is_at(fixture=name)

    def _leave(self, name: str) -> None:
        if self._fixtures and self._fixtures[-1] == name:
            self._fixtures.pop()
            self._kernel.is_at(fixture=self._fixtures[-1] if self._fixtures else None)

    def _hear(self, event: str, arguments: Tuple[Any, ...]) -> None:
        if event not in _HEARD or not self._is_of_test():
            return
        if event in _STARTING:
            self._subprocess = True
            self._kernel.is_at(started=self._outside.place(1))
            return
        if self._is_elsewhere(event, arguments):
            return
        if event == "sqlite3.connect" and self._at is None:
            self._busy.busy = True
            self._remember(arguments[0])
            self._busy.busy = False
        elif event == "sqlite3.connect/handle" and self._hook.is_set:
            self._effects.born(arguments[0])
        self._meet(lambda: self._outside.accesses(event, arguments))

    def _is_of_test(self) -> bool:
        """Whether what happens now is the test's doing: not ours, and not a child's of the worker."""
        return self._running and not getattr(self._busy, "busy", False) and os.getpid() == self._pid

    def _is_elsewhere(self, event: str, arguments: Tuple[Any, ...]) -> bool:
        """Whether a call is on paths that end otherwise than all that is shared, told without naming them in full."""
        if self._ends is None or event == "sqlite3.connect":
            return False  # what SQLite is given may be a URI
        # The second argument of most is a mode.
        for path in arguments[: 2 if event in _TWO_PATHS else 1]:
            known = str(path) if isinstance(path, pathlib.PurePath) else path
            if type(known) is not str or "/" not in known or not self._ends.isdisjoint(known.rsplit("/", 2)[-2:]):
                return False
        return True

    def _meet(self, accesses: Callable[[], List[Access]]) -> bool:
        """A call is about to be made: note it, or wait for the turn. Tells whether the turn was asked for."""
        self._busy.busy = True
        try:
            try:
                found = accesses()
            except (OSError, ValueError, TypeError, LookupError, AttributeError):
                return False  # a closed file, or arguments that are wrong: the call itself will tell
            if not found:
                return False
            if self._at is None:
                self._note(found, self._outside.place(2))
                return False
            shared = [access for access in found if access.resource in self._at]
            if shared:
                self._shared_open = True
                if threading.get_ident() == self._main:
                    self._hook.set()
                    return self._ask(shared, self._outside.place(2))
            return False
        finally:
            self._busy.busy = False

    def _may_share_open(self, at: FrozenSet[str]) -> bool:
        """Whether something shared may be open before the first test; what tests open is seen."""
        if not all(resource.startswith(("file:", "listing:")) for resource in at):
            return True
        try:
            descriptors = [int(name) for name in _list_folder("/proc/self/fd")]
        except OSError:
            return True
        return any(f"file:{self._outside.name(descriptor)}" in at for descriptor in descriptors)

    def _note(self, accesses: List[Access], place: Optional[str]) -> None:
        fixture = self._fixtures[-1] if self._fixtures else None
        for access in accesses:
            key = (access, fixture)
            if key not in self._touched:
                self._touched[key] = {
                    "resource": access.resource,
                    "call": access.call,
                    "writes": access.writes,
                    "at": place,
                    "fixture": fixture,
                }

    def _ask(self, accesses: List[Access], place: str) -> bool:
        access = accesses[0]
        key = (access.resource, access.call, place)
        self._asked[key] = self._asked.get(key, 0) + 1
        if self._asked[key] > limits.ASKED_CALLS:
            return False
        writes = any(access.writes for access in accesses)
        self._tell_rest()
        if sys.exc_info()[0] is not None:
            self._channel.send(messages.Handling(type="handling"))
        resource, call = access.resource, access.call
        self._wait(
            lambda turn: messages.Yield(type="yield", turn=turn, resource=resource, call=call, writes=writes, at=place)
        )
        return True

    def _tell_effect(self, effect: Effect) -> None:
        self._channel.send(messages.Did(type="did", statement=effect.statement, writes=effect.writes, idle=effect.idle))

    def _tell_rest(self) -> None:
        seconds = self._idle.seconds(limits.IDLE_SECONDS)
        if seconds > 0 and not self._subprocess:
            self._channel.send(messages.Rested(type="rested", seconds=seconds))

    def _wait(self, question: Callable[[int], messages.ToJostle]) -> None:
        """Wait for the answer to a question, which bears the number that it is made with."""
        if self._in_teardown and self._turn == self._turn_before and not self._kernel.works:
            self._channel.send(messages.Teardown(type="teardown"))
        self._turn += 1
        self._channel.send(question(self._turn))
        # An exception from a signal's handler may have left the answer to an earlier question behind.
        answer = self._channel.receive()
        while answer["type"] != "turn" or answer["turn"] != self._turn:
            answer = self._channel.receive()
        self._idle.start()

    def _profile(self, frame: FrameType, event: str, function: Any) -> None:
        if self._lines is not None and event in _CALLS:
            self._lines.passes(frame.f_back if event == "call" else frame)
        if self._at is None:
            return
        if event != "c_call":
            if self._effects.made is not None:
                self._effects.over(function, event == "c_return")
            return
        if function.__name__ not in _METHODS or not self._is_of_test():
            return
        owner, name = getattr(function, "__self__", None), function.__name__
        if isinstance(owner, _STREAMS):
            if self._meet(lambda: self._of_stream(owner, name)) and name in _FLUSHING:
                self._effects.of_stream(function)
            return
        if name == "set_trace_callback":
            self._effects.traced_by_another(owner)
        elif isinstance(owner, _socket.socket) and name in ("listen", "close"):
            self._meet(lambda: self._outside.port(owner.getsockname(), owner.type, name, True))
        elif name in _SQL:
            # Of a connection, or of its cursor, of whichever module for SQLite.
            connection = getattr(owner, "connection", owner)
            if hasattr(connection, "in_transaction"):
                asked = self._meet(lambda: self._outside.database(connection, _SQL[name]))
                self._effects.of_database(function, connection, _SQL[name], asked)

    def _of_stream(self, stream: Any, name: str) -> List[Access]:
        if stream.closed:
            return []
        if name in _READING:
            return self._outside.stream(stream, "read", False)
        if not stream.writable():
            return []
        return self._outside.stream(stream, _WRITING.get(name, "close after writing"), True)

    def _stand_in(self, name: str) -> None:
        """Put a function in the place of one of ``os`` that only looks, and raises no audit event."""
        real = getattr(os, name)

        def look(path: Any, *arguments: Any, **options: Any) -> Any:
            if not isinstance(path, int) and self._is_of_test() and not self._is_elsewhere(name, (path,)):
                folder = options.get("dir_fd") or -1
                self._meet(lambda: self._outside.file(path, "look at", False, folder))
            return real(path, *arguments, **options)

        look.__name__ = look.__qualname__ = name
        look.__doc__ = real.__doc__
        setattr(os, name, look)
        for functions in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids):
            if real in functions:
                functions.add(look)
        accessor = getattr(sys.modules.get("pathlib"), "_NormalAccessor", None)  # until Python 3.10
        if accessor is not None and hasattr(accessor, name):
            setattr(accessor, name, staticmethod(look))

    def _stand_in_for_sleep(self) -> None:
        real = time.sleep

        def sleep(seconds: float) -> None:
            if threading.get_ident() != self._main or not self._is_of_test():
                real(seconds)
                return
            self._busy.busy = True
            try:
                self._tell_rest()
                at = self._outside.place(1)
                self._channel.send(messages.Asleep(type="asleep", seconds=float(seconds), at=at))
                self._kernel.is_at(asleep=True)
                real(seconds)
            finally:
                self._kernel.is_at(asleep=False)
                # Whoever interrupted the sleep waits for the turn as well.
                self._wait(lambda turn: messages.Awake(type="awake", turn=turn))
                self._busy.busy = False

        sleep.__doc__ = real.__doc__
        time.sleep = sleep
        for module in list(sys.modules.values()):
            names = getattr(module, "__dict__", {})
            if names.get("sleep") is real and module is not sys.modules[__name__]:
                names["sleep"] = sleep

    def _remember(self, database: Union[str, bytes, "os.PathLike[str]"]) -> None:
        """Note a database as it was before the test, as statements raise no audit event."""
        with contextlib.suppress(TypeError, ValueError):
            path = os.path.abspath(os.fsdecode(database))
            if self._outside.name(path) is not None and ":" not in os.path.basename(path):
                self._databases.setdefault(path, (_version(path), self._outside.place(2)))


def _version(path: str) -> _Version:
    """What changes whenever a database does: size and time of its file and of its log."""
    seen: List[Optional[int]] = []
    for name in (path, path + "-wal", path + "-journal"):
        try:
            status = os.stat(name)
            seen += [status.st_size, status.st_mtime_ns]
        except OSError:
            seen.append(None)
    return tuple(seen)


def _wide_fixtures(item: pytest.Item) -> List[str]:
    """The names of the fixtures that a test shares with others."""
    wide = filter(pytest_private.is_wide, pytest_private.fixtures_of(item))
    return [fixture_name(definition) for definition in wide]


def fixture_name(definition: pytest.FixtureDef[Any]) -> str:
    """A fixture's name, told apart from those of the same name elsewhere."""
    return text(f"{definition.baseid}::{definition.argname}")
