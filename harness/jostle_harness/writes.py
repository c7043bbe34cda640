"""Where places are written: their values are looked at after each line of the project's code, for a test or two.

A trace function serves on every supported Python; the run is made for this alone, so that its cost matters little.

Threads look as well, each after its own lines. A change belongs to the line of the thread that looked before and after
it; where another looked in between, either may have made it, and no line is told.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
import threading
import types
from typing import TYPE_CHECKING, Dict, Iterator, List, Optional, Sequence, Tuple

from . import doctests, limits, messages
from .crash import inside
from .probes import PUT_OFF, Finder, Probe

if TYPE_CHECKING:
    from _typeshed import TraceFunction

#: A file, a line of it and the function that this is in.
_Line = Tuple[str, int, str]

_TAKES_MORE = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
_WAITS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class _Watched:
    """A place that is watched."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.probe: Optional[Probe] = None
        self.value: object = None
        #: The thread that looked last.
        self.looked: Optional[int] = None
        #: Where it could not be looked last, the line that each thread had been at before.
        self.put_off: Dict[int, Optional[_Line]] = {}
        self.found: Optional[_Line] = None
        self.last: Optional[_Line] = None
        self.no_line: messages.NoLine = "unwatched"
        self.call: Optional[messages.Statement] = None


class Writes:
    """Notes for each of some places the last line of the project after which it was another."""

    def __init__(self, names: Sequence[str], rootdir: str, find: Finder) -> None:
        self._rootdir = rootdir
        self._find = find
        self._files: Dict[str, Optional[str]] = {}
        self._watched = [_Watched(name) for name in names]
        #: Those of them that are found.
        self._known: List[_Watched] = []
        #: The line that each thread is at.
        self._lines: Dict[int, Optional[_Line]] = {}
        #: Functions that are no more looked at, by the identity of their code, each kept alive: no other has that then.
        self._passed_over: Dict[int, types.CodeType] = {}
        self._looks = False
        #: How often it was looked after a line of each function, by the identity of its code, and in all.
        self._counts: Dict[int, int] = {}
        self._count = 0

    def start(self) -> None:
        """Look from here on, in this thread and in those that start meanwhile; from Python 3.12 on in all."""
        self.resolve()
        self._looks = True
        for watched in self._watched:
            watched.looked = threading.get_ident()
        self._before = sys.gettrace()
        _trace_threads(self._enter)
        sys.settrace(self._enter)

    def resolve(self) -> None:
        """Look for the places that are not known yet: a fixture's value comes late."""
        for watched in self._watched:
            if watched.probe is None:
                watched.probe = self._find(watched.name)
                if watched.probe is not None:
                    watched.value, watched.no_line = watched.probe(), "unseen"
                    self._known.append(watched)

    def stop(self) -> Dict[str, messages.Written]:
        """Look no more; tells where the places were written last, by their names."""
        _trace_threads(None)
        sys.settrace(self._before)
        self._look()
        self._looks = False
        return {
            watched.name: _written(watched.found, watched.call)
            for watched in self._watched
            if watched.found is not None
        }

    @contextlib.contextmanager
    def held_back(self) -> Iterator[None]:
        """Look not after lines for now: what is done is no code of the project's, and would be traced all the same."""
        before = sys.gettrace()
        sys.settrace(None)
        try:
            yield
        finally:
            sys.settrace(before)

    def found(self) -> Dict[str, messages.Written]:
        """The last lines of the project that have written the places so far, whatever else has written them since."""
        self._look()
        return {watched.name: _written(watched.last, None) for watched in self._watched if watched.last is not None}

    def no_line(self, name: str) -> messages.NoLine:
        """Why no line is told of a place."""
        return next(watched.no_line for watched in self._watched if watched.name == name)

    def _enter(self, frame: types.FrameType, event: str, _: object) -> Optional[TraceFunction]:
        code = frame.f_code
        if id(code) in self._passed_over:
            return None
        file = code.co_filename
        if file not in self._files or file.startswith(doctests.PREFIX):
            self._files[file] = inside(file, self._rootdir)
        if self._files[file] is None or self._is_worn_out(code):
            self._passed_over[id(code)] = code
            return None
        return self._step

    def _is_worn_out(self, code: types.CodeType) -> bool:
        """Whether it was looked often enough after lines of a function: what it changes is of the line then that calls it."""
        most = limits.LOOKS_OF_ONE if self._count < limits.LOOKS else limits.LOOKS_OF_ONE_LATER
        return self._counts.get(id(code), 0) >= most

    def _step(self, frame: types.FrameType, event: str, _: object) -> TraceFunction:
        if event in ("line", "return"):
            self._look(frame)
            code = frame.f_code
            self._counts[id(code)] = self._counts.get(id(code), 0) + 1
            self._count += 1
            if self._is_worn_out(code):
                frame.f_trace_lines = False
            # What pytest does after the project's code has returned is no line of the project's.
            at = frame if event == "line" else frame.f_back
            self._lines[threading.get_ident()] = self._place(at)
        return self._step

    def _place(self, frame: Optional[types.FrameType]) -> Optional[_Line]:
        """The line of the project that this frame, or who called it, is at."""
        while frame is not None:
            file = self._files.get(frame.f_code.co_filename)
            if file is not None:
                return (file, *doctests.line_of(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
            frame = frame.f_back
        return None

    def _look(self, frame: Optional[types.FrameType] = None) -> None:
        """Look at all places. Of one that cannot be looked at now the line of the look before has led to what happens until
        the next."""
        if not self._looks:
            return
        thread = threading.get_ident()
        line = self._lines.get(thread)
        for watched in self._known:
            assert watched.probe is not None
            value = watched.probe()
            if value is PUT_OFF:
                watched.put_off.setdefault(thread, line)
                continue
            alone, watched.looked = watched.looked == thread, thread
            led = watched.put_off.pop(thread, line) if watched.put_off else line
            if value != watched.value:
                watched.value = value
                watched.found = led if alone else None
                watched.last = watched.found or watched.last
                watched.no_line = "elsewhere" if alone else "threads"
                watched.call = self._outermost_call(frame) if alone else None

    def _outermost_call(self, frame: Optional[types.FrameType]) -> Optional[messages.Statement]:
        """What the test, or its fixture, called to write the place, if that can be called by others as well."""
        own = []
        while frame is not None:
            if self._files.get(frame.f_code.co_filename) is not None:
                own.append(frame)
            frame = frame.f_back
        if len(own) < 2:
            return None
        code, names = own[-2].f_code, own[-2].f_globals
        takes = code.co_argcount + code.co_kwonlyargcount + (code.co_flags & (_TAKES_MORE | _WAITS))
        if takes or getattr(names.get(code.co_name), "__code__", None) is not code:
            return None
        return {"module": names["__name__"], "text": f"{names['__name__']}.{code.co_name}()"}


def _written(found: Optional[_Line], call: Optional[messages.Statement]) -> messages.Written:
    assert found is not None
    file, line, function = found
    return {"file": file, "line": line, "function": function, "call": call}


def _trace_threads(function: Optional[TraceFunction]) -> None:
    """Trace the threads that start from now on, and those that run, where Python can."""
    everywhere = getattr(threading, "settrace_all_threads", None)
    if everywhere is None:
        # None ends it, which the types do not know.
        threading.settrace(function)  # type: ignore[arg-type]
    else:
        everywhere(function)
