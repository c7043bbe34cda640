"""Where a place is written: its value is looked at after each line of the project's code, for a test or two.

A trace function serves on every supported Python; the run is made for this alone, so that its cost matters little.

Threads look as well, each after its own lines. A change belongs to the line of the thread that looked before and after
it; where another looked in between, either may have made it, and no line is told.
"""

from __future__ import annotations

import inspect
import sys
import threading
import types
from typing import TYPE_CHECKING, Dict, Optional, Tuple

from . import doctests, messages
from .crash import inside
from .probes import PUT_OFF, Finder, Probe

if TYPE_CHECKING:
    from _typeshed import TraceFunction

_TAKES_MORE = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
_WAITS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Writes:
    """Notes the last line of the project after which a place was another."""

    def __init__(self, name: str, rootdir: str, find: Finder) -> None:
        self._name = name
        self._rootdir = rootdir
        self._find = find
        self._files: Dict[str, Optional[str]] = {}
        self._probe: Optional[Probe] = None
        self._value: object = None
        #: The line that each thread is at.
        self._lines: Dict[int, Optional[Tuple[str, int, str]]] = {}
        #: The thread that looked last.
        self._looked: Optional[int] = None
        self._looks = False
        self._found: Optional[Tuple[str, int, str]] = None
        self._last: Optional[Tuple[str, int, str]] = None
        self._no_line: messages.NoLine = "unwatched"
        self._call: Optional[messages.Statement] = None

    def start(self) -> None:
        """Look from here on, in this thread and in those that start meanwhile; from Python 3.12 on in all."""
        self.resolve()
        self._looks = True
        self._looked = threading.get_ident()
        self._before = sys.gettrace()
        _trace_threads(self._enter)
        sys.settrace(self._enter)

    def resolve(self) -> None:
        """Look for the place, if it is not known yet: a fixture's value comes late."""
        if self._probe is None:
            self._probe = self._find(self._name)
            if self._probe is not None:
                self._value, self._no_line = self._probe(), "unseen"

    def stop(self) -> Optional[messages.Written]:
        """Look no more; tells where the place was written last."""
        _trace_threads(None)
        sys.settrace(self._before)
        self._look()
        self._looks = False
        return _written(self._found, self._call)

    def found(self) -> Optional[messages.Written]:
        """The last line of the project that has written the place so far, whatever else has written it since."""
        self._look()
        return _written(self._last, None)

    def no_line(self) -> messages.NoLine:
        """Why no line is told."""
        return self._no_line

    def _enter(self, frame: types.FrameType, event: str, _: object) -> Optional[TraceFunction]:
        file = frame.f_code.co_filename
        if file not in self._files or file.startswith(doctests.PREFIX):
            self._files[file] = inside(file, self._rootdir)
        return None if self._files[file] is None else self._step

    def _step(self, frame: types.FrameType, event: str, _: object) -> TraceFunction:
        if event in ("line", "return") and self._look(frame):
            # What pytest does after the project's code has returned is no line of the project's.
            at = frame if event == "line" else frame.f_back
            self._lines[threading.get_ident()] = self._place(at)
        return self._step

    def _place(self, frame: Optional[types.FrameType]) -> Optional[Tuple[str, int, str]]:
        """The line of the project that this frame, or who called it, is at."""
        while frame is not None:
            file = self._files.get(frame.f_code.co_filename)
            if file is not None:
                return (file, *doctests.line_of(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
            frame = frame.f_back
        return None

    def _look(self, frame: Optional[types.FrameType] = None) -> bool:
        """Whether it could be looked now: if not, the line of the look before has led to what happens until the next."""
        if self._probe is None or not self._looks:
            return True
        value = self._probe()
        if value is PUT_OFF:
            return False
        thread = threading.get_ident()
        alone, self._looked = self._looked == thread, thread
        if value != self._value:
            self._value = value
            self._found = self._lines.get(thread) if alone else None
            self._last = self._found or self._last
            self._no_line = "elsewhere" if alone else "threads"
            self._call = self._outermost_call(frame) if alone else None
        return True

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


def _written(found: Optional[Tuple[str, int, str]], call: Optional[messages.Statement]) -> Optional[messages.Written]:
    if found is None:
        return None
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
