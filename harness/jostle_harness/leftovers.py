"""What a test leaves running, open or lying about: threads, child processes, descriptors, ports, and objects for the collector.

None of it is a value that could be put back. What can be shown instead is that the failure goes once a thread has been waited
for, a child process has ended, a file is closed or the collector has run.
"""

from __future__ import annotations

import _io
import _socket
import ast
import contextlib
import gc
import os
import re
import signal
import sys
import threading
import time
import tracemalloc
import warnings
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from . import limits
from .crash import inside
from .messages import Line
from .places import Place, is_a
from .snapshot import attributes
from .stable import stable
from .threads import Starts

_open, _sleep = open, time.sleep  # bound now: a test may replace them
_FDS = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
#: The place of objects that nobody refers to any more, but each other.
GARBAGE = "objects left to the garbage collector"
_THREAD = "thread "
DESCRIPTOR = "descriptor "
#: How what a descriptor is open on begins, as a value.
OPEN = "open: "
CHILD = "child process "
#: The states of a port in the system's table that keep another from binding it, and their names.
_STATES = {"0A": "listening", "06": "in TIME_WAIT", "08": "in CLOSE_WAIT", "04": "in FIN_WAIT1", "05": "in FIN_WAIT2"}


class Leftovers:
    """What there was of these when this was made."""

    def __init__(self, rootdir: str) -> None:
        self._rootdir = rootdir
        self._threads = set(threading.enumerate())
        self._starts = Starts(rootdir)
        self._starts.start()
        self._descriptors: Set[int] = set()
        self.note_descriptors()
        self._children = children()
        self._ports = _ports()
        #: Whether a port may be another than it was noted, which is slow to find out.
        self.looks_at_ports = True
        #: In a network of our own there is none at first; in the machine's any other process may take one.
        self._ports_are_ours = not self._ports

    def note_descriptors(self) -> None:
        """Take what is open now for what was open at first."""
        self._descriptors = _descriptors()

    def note_anew(self) -> None:
        """Take what there is now for what there was at first."""
        self._threads = set(threading.enumerate())
        self._children = children()
        self._ports = self._ports_now()
        self.note_descriptors()

    def _ports_now(self) -> Dict[int, str]:
        """The ports that are taken, as far as they are told of."""
        return _ports() if self._ports_are_ours and self.looks_at_ports else self._ports

    def watch_garbage(self) -> None:
        """Note where objects are made, for those that are left to the collector."""
        tracemalloc.start(limits.TRACED_FRAMES)

    def stop(self) -> None:
        """Note no more where threads are started."""
        self._starts.stop()

    def changes(self) -> Iterator[Place]:
        """What is left by now."""
        for thread in threading.enumerate():
            if thread not in self._threads:
                started = self._starts.place(thread)
                new = f"runs, started at {started}" if started else "runs"
                yield Place(_THREAD + _name(thread), "thread", "(absent)", new, _waiter(thread), True)
        for child, command in children().items():
            if child not in self._children:
                yield Place(CHILD + command, "child process", "(absent)", "runs", _ender(child), True)
        descriptors = sorted(_descriptors() - self._descriptors - {0, 1, 2})
        self.looks_at_ports |= bool(descriptors)
        for descriptor in descriptors:
            name = f"{DESCRIPTOR}{descriptor}"
            yield Place(name, "descriptor", "closed", OPEN + _target(descriptor), _closer(descriptor), True)
        for port, state in sorted(self._ports_now().items()):
            if self._ports.get(port) != state:
                yield Place(f"port {port}", "port", self._ports.get(port, "free"), state, None, True)
        place = Place(GARBAGE, "uncollected objects", "(none)", "not known", collect, True)
        place.in_library = True
        yield place

    def probe(self, name: str) -> Optional[Callable[[], object]]:
        """What tells whether a thread or a process of a place's name runs, or a descriptor is open."""
        if name.startswith(CHILD):
            return lambda: [child for child, command in children().items() if CHILD + command == name]
        if name.startswith(descriptor_name(OPEN)):
            return lambda: [at for at in sorted(_descriptors()) if descriptor_name(stable(OPEN + _target(at))) == name]
        if name.startswith(DESCRIPTOR):
            descriptor = int(name[len(DESCRIPTOR) :])
            return lambda: _target(descriptor)
        if not name.startswith(_THREAD):
            return None
        thread = name[len(_THREAD) :]
        return lambda: any(
            thread in (_name(one), unnumbered(_name(one))) and one not in self._threads for one in threading.enumerate()
        )

    def garbage(self) -> Tuple[str, Optional[Line]]:
        """What the collector finds now, and where the first of it was made. What it is told of at its end has happened by then."""
        found = _garbage()[: limits.DESCRIBED_GARBAGE]
        tellings = [(self._made_at(obj), _shown(obj)) for obj in found]
        tracemalloc.stop()
        best = min(tellings, key=lambda telling: telling[0] is None, default=(None, "not known"))
        return stable(best[1]), best[0]

    def _made_at(self, obj: Any) -> Optional[Line]:
        trace = tracemalloc.get_object_traceback(obj)
        for frame in reversed(trace or ()):
            file = inside(frame.filename, self._rootdir)
            if file is not None:
                return {"file": file, "line": frame.lineno, "function": _function_at(frame.filename, frame.lineno)}
        return None


def descriptor_name(opened: str) -> str:
    """The name of the place of a descriptor by what it is open on: its number is another in the next run."""
    return f"descriptor, {opened}"


def _name(thread: threading.Thread) -> str:
    """A thread's name, past what its class says. The numbers that threads without one have are others in the next run."""
    return str((attributes(thread) or {}).get("_name", ""))


def unnumbered(name: str) -> str:
    """A thread's name without the numbers that Python and pools count their threads by."""
    return re.sub(r"(?<=[-_])\d+\b", "N", name)


def _waiter(thread: threading.Thread) -> Callable[[], None]:
    def wait() -> None:
        threading.Thread.join(thread, limits.JOIN_SECONDS)
        if threading.Thread.is_alive(thread):
            raise TimeoutError("the thread does not end")

    return wait


def _ender(child: int) -> Callable[[], None]:
    def end() -> None:
        os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)

    return end


def collect() -> None:
    """Have the collector run, so that what objects say at their end is said to nobody."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect()
    finally:
        sys.unraisablehook = hook


def _garbage() -> List[Any]:
    """What only the collector frees, those first whose end somebody may notice."""
    before, flags = len(gc.garbage), gc.get_debug()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        collect()
    finally:
        gc.set_debug(flags)
    found = gc.garbage[before:]
    del gc.garbage[before:]
    return sorted(found, key=_is_silent)


def _is_silent(obj: Any) -> bool:
    """Whether an object's end goes without notice."""
    return not (is_a(obj, _WITH_AN_END) or hasattr(type(obj), "__del__"))


def _shown(obj: Any) -> str:
    name = getattr(obj, "name", None) if is_a(obj, _WITH_AN_END) else None
    return f"<{type(obj).__module__}.{type(obj).__qualname__}" + (f" {name}>" if type(name) is str else ">")


#: Objects of which somebody may hear when they end without having been closed.
_WITH_AN_END = (_io._IOBase, _socket.socket)


def _closer(descriptor: int) -> Callable[[], None]:
    """Closes a descriptor by the object that has it, if there is one."""

    def close() -> None:
        for obj in gc.get_objects():
            if (
                is_a(obj, _io.FileIO)
                and _io.FileIO.closed.__get__(obj) is False
                and _io.FileIO.fileno(obj) == descriptor
            ):
                _io.FileIO.close(obj)
                return
            if is_a(obj, _socket.socket) and _socket.socket.fileno(obj) == descriptor:
                _socket.socket.close(obj)
                return
        os.close(descriptor)

    return close


def _function_at(path: str, line: int) -> str:
    """The function that a line of a file is in."""
    try:
        with _open(path, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return "<module>"
    functions = (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    around = [node for node in functions if node.lineno <= line <= (node.end_lineno or node.lineno)]
    return max(around, key=lambda node: node.lineno).name if around else "<module>"


def _descriptors() -> Set[int]:
    found = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(_FDS):
            with contextlib.suppress(OSError, ValueError):
                os.fstat(int(name))
                found.add(int(name))
    return found


def _target(descriptor: int) -> str:
    with contextlib.suppress(OSError):
        return os.readlink(f"{_FDS}/{descriptor}").split(":")[0]
    return "unknown"


def _command(child: int) -> str:
    """The command of a child. While a program is being started, the system has the new file before the new command."""
    for _ in range(limits.COMMAND_LOOKS):
        with _open(f"/proc/{child}/comm", encoding="utf-8") as comm:
            command = comm.read().strip()
        with _open("/proc/self/comm", encoding="utf-8") as own:
            if own.read().strip() != command or os.readlink(f"/proc/{child}/exe") == os.readlink("/proc/self/exe"):
                break
        _sleep(limits.COMMAND_PAUSE)
    return command


def children() -> Dict[int, str]:
    """The commands of this process's children, by their numbers."""
    found = {}
    with contextlib.suppress(OSError):
        for task in os.listdir("/proc/self/task"):
            with contextlib.suppress(OSError), _open(f"/proc/self/task/{task}/children", encoding="ascii") as file:
                for child in file.read().split():
                    with contextlib.suppress(OSError):
                        command = _command(int(child))
                    with contextlib.suppress(OSError), _open(f"/proc/{child}/stat", encoding="utf-8") as state:
                        if state.read().rpartition(") ")[2][:1] != "Z":  # it runs, and does not wait to be waited for
                            found[int(child)] = command
    return found


def _ports() -> Dict[int, str]:
    """The TCP ports of this network that another could not bind, but for those that the system gives out itself."""
    found: Dict[int, str] = {}
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        with contextlib.suppress(OSError), _open(table, encoding="ascii") as file:
            for line in file.readlines()[1:]:
                fields = line.split()
                port = int(fields[1].rpartition(":")[2], 16)
                if fields[3] in _STATES and port < _EPHEMERAL:
                    found[port] = _STATES[fields[3]]
    return found


#: The first of the ports that the system gives out by itself, on Linux as it comes.
_EPHEMERAL = 32_768
