"""What a fork would lose of a process's threads: those that the parent still has right after a fork, and the child has not.

A fork has one thread, which is no loss where libraries see to forks themselves: OpenBLAS ends its threads before a fork
and starts as many when they are needed next, others start theirs anew in the child. OpenMP offers the same, but has to be asked.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import sys
import threading
from collections import Counter
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from . import libraries, limits
from .channel import text
from .crash import inside
from .unseen import import_unseen

_open, _listdir = open, os.listdir  # bound now: a test may replace them

#: ``PF_EXITING``: a task that was joined may be listed for a moment, and has this flag by then.
_ENDING = 0x4
#: Tasks of libraries that do in a fork what they did without: jemalloc has whoever frees memory return it.
_HANDLED = re.compile(r"jemalloc_bg_thd$")
#: Pools that a fork waits for without end, as their library never starts another: polars'.
_WAITED_FOR = re.compile(r"polars-\d+$")
#: Threads that only draw: tqdm's monitor, which is module and class.
_ONLY_DRAW = frozenset({("tqdm._monitor", "TMonitor")})
#: Runtimes of OpenMP, as packages bring them along.
_OPENMP = re.compile(r"/lib(?:gomp|i?omp5?)\b[^/]*$")
#: ``omp_pause_soft``: threads are ended, settings are kept.
_PAUSE_SOFT = 1
#: What :mod:`threading` starts threads with, by the version of Python.
_STARTERS = ("_start_new_thread", "_start_joinable_thread")


class Lost(NamedTuple):
    """The names of threads that a fork would lose, with where each was started."""

    #: Those that it is known to need: what runs Python is the suite's own, and some pools are waited for.
    needed: List[str]
    #: Those of libraries, of which only tests can show whether a fork does without.
    native: List[str]
    #: Those of OpenMP, which ended them when it was asked to, and starts others; who used them may mind the fork all the same.
    ended: List[str]


class Starts:
    """From its start to its stop, notes where threads are started."""

    def __init__(self, rootdir: str) -> None:
        self._rootdir = rootdir
        #: By identity of the thread.
        self._places: Dict[int, str] = {}
        #: By number of the task.
        self._tasks: Dict[int, Optional[str]] = {}
        self._wrapped: Dict[str, Tuple[Any, Any]] = {}

    def start(self) -> None:
        """Look at each start of a thread."""
        for name in _STARTERS:
            starter = getattr(threading, name, None)
            if starter is not None:
                wrapper = self._noting(starter)
                self._wrapped[name] = (wrapper, starter)
                setattr(threading, name, wrapper)

    def stop(self) -> None:
        """Leave everything as it would be without, and what others have put in our place."""
        for name, (wrapper, starter) in self._wrapped.items():
            if getattr(threading, name) is wrapper:
                setattr(threading, name, starter)

    def look(self, collected: Optional[str]) -> None:
        """Note which tasks there are that were not there before something was collected; nothing before the start."""
        with contextlib.suppress(OSError):  # no /proc
            if not self._wrapped:
                return
            for number in map(int, _listdir("/proc/self/task")):
                self._tasks.setdefault(number, collected)

    def place(self, thread: threading.Thread) -> Optional[str]:
        """Where a thread was started, if that is known."""
        return self._places.get(id(thread))

    def name(self, thread: threading.Thread) -> str:
        """A thread's name, and where it was started if that is known."""
        place = self._places.get(id(thread))
        return thread.name if place is None else f"{thread.name} ({place})"

    def name_of_task(self, number: int, name: str) -> str:
        """A task's name, and with what it came if that is known."""
        collected = self._tasks.get(number)
        return f"{name} (started while {collected} was imported)" if collected else name

    def _noting(self, starter: Any) -> Any:
        def start(function: Any, *arguments: Any, **named: Any) -> Any:
            self._places[id(getattr(function, "__self__", function))] = self._place()
            return starter(function, *arguments, **named)

        return start

    def _place(self) -> str:
        """The innermost line of the suite, else of the library, that starts a thread."""
        frame = sys._getframe(2)
        library = ""
        while True:
            path = frame.f_code.co_filename
            file = inside(path, self._rootdir)
            if file is not None:
                return f"{file}:{frame.f_lineno}"
            if not library and path not in (__file__, threading.__file__):
                library = f"{path.rpartition('site-packages' + os.sep)[2]}:{frame.f_lineno}"
            if frame.f_back is None:
                return library
            frame = frame.f_back


def are_of_python() -> bool:
    """Whether other threads run Python, or may."""
    return len(threading.enumerate()) > 1 or len(sys._current_frames()) > 1


def lost(fork: Callable[[], int], starts: Optional[Starts] = None) -> Lost:
    """What a fork of this process would lose, by one that is made for trial."""
    starts = starts or Starts("")
    if len(_tasks()) == 1 and not are_of_python():
        return Lost([], [], [])
    before = _tasks()
    _end_openmp()
    after = _tasks()
    ended = [text(starts.name_of_task(number, name)) for number, name in before.items() if number not in after]
    left, answer = _try(fork)
    if answer is None:  # whatever there is, a fork does not get along without it
        return Lost([text(name) for name in (*map(starts.name, _others()), *left.native.values())], [], ended)
    in_child = Counter(answer["python"])
    needed = [starts.name(thread) for thread in _others() if _is_missing(_kind(thread), in_child)]
    needed += ["a thread that `threading` does not know"] * max(0, left.unknown - answer["unknown"])
    native: List[str] = []
    in_child = Counter(answer["native"])
    # A thread that was joined right before the fork may have been at its very end then, and is gone by now.
    still = _tasks()
    for number, name in left.native.items():
        if number in still and _is_missing(name, in_child) and not _HANDLED.match(name):
            named = starts.name_of_task(number, name)
            (needed if _WAITED_FOR.match(name) else native).append(named)
    return Lost([text(name) for name in needed], [text(name) for name in native], ended)


class _Seen(NamedTuple):
    """The threads of a process besides the main one."""

    #: Those of :mod:`threading`, by their kind.
    python: List[str]
    #: How many more run Python.
    unknown: int
    #: The names of tasks that Python did not start, by their numbers.
    native: Dict[int, str]


def _see() -> _Seen:
    others = _others()
    unknown = max(0, len(sys._current_frames()) - 1 - len(others))
    # The main thread's own number is an old one in a fork that has run no handlers.
    known = {os.getpid(), *(thread.native_id for thread in others)}
    native = {number: name for number, name in _tasks().items() if number not in known}
    return _Seen([_kind(thread) for thread in others], unknown, native)


def _others() -> List[threading.Thread]:
    return [
        thread
        for thread in threading.enumerate()
        if thread is not threading.main_thread() and (type(thread).__module__, type(thread).__name__) not in _ONLY_DRAW
    ]


def _kind(thread: threading.Thread) -> str:
    """What a thread has in common with the one that is started in its place in a fork."""
    return f"{type(thread).__qualname__} {re.sub('[0-9]+', '#', thread.name)}"


def _is_missing(name: str, there: Dict[str, int]) -> bool:
    """Whether there is no other of this name, which is taken if there is."""
    there[name] = there.get(name, 0) - 1
    return there[name] < 0


def _tasks() -> Dict[int, str]:
    """The names of this process's tasks by their numbers, but for those that end; none where the system does not tell."""
    found = {}
    with contextlib.suppress(OSError):
        for number in _listdir("/proc/self/task"):
            with contextlib.suppress(OSError), _open(f"/proc/self/task/{number}/stat", "rb") as file:
                name, _, fields = file.read().partition(b"(")[2].rpartition(b")")
                if not int(fields.split()[6]) & _ENDING:
                    found[int(number)] = os.fsdecode(name)
    return found


def _try(fork: Callable[[], int]) -> Tuple[_Seen, Optional[Dict[str, Any]]]:
    """Fork. Returns what this process has then, and what the fork has; nothing if that does not answer."""
    reading, writing = os.pipe()
    pid = fork()
    if pid == 0:
        try:
            seen = _see()
            told = {"python": seen.python, "unknown": seen.unknown, "native": list(seen.native.values())}
            os.write(writing, json.dumps(told).encode())
        finally:
            os._exit(0)
    left = _see()
    os.close(writing)
    try:
        answer = b"".join(_until_end(reading))
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return left, json.loads(answer) if answer else None


def _until_end(descriptor: int) -> Iterator[bytes]:
    """What is read to the end, or until nothing comes any more."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while poll.poll(limits.TRIAL_FORK_SECONDS * 1000):
        read = os.read(descriptor, 1 << 16)
        if not read:
            return
        yield read


def _end_openmp() -> None:
    """Have OpenMP end the threads that it keeps for later: a fork would wait for them without end. As many are started
    where they are needed next."""
    ctypes: Any = import_unseen("ctypes")
    for path in filter(_OPENMP.search, libraries.paths()):
        with contextlib.suppress(OSError, AttributeError):  # one that is older than OpenMP 5.0
            ctypes.CDLL(path, mode=os.RTLD_NOLOAD).omp_pause_resource_all(_PAUSE_SOFT)
