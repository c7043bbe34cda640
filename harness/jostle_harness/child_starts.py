"""Where child processes were started, as Python tells by audit events.

An event is told before the process is there: it is the one of whatever new child is seen first after it. A child is known by its
number, as its command is another one for a moment after the start.
"""

from __future__ import annotations

import sys
import types
from typing import Callable, Dict, Optional, Set, Tuple

from . import messages
from .crash import inside

_STARTS = frozenset(("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"))


class ChildStarts:
    """From its making on, notes where children are started."""

    def __init__(self, rootdir: str, children: Callable[[], Dict[int, str]]) -> None:
        self._rootdir = rootdir
        self._children = children
        self._known: Set[int] = set(children())
        #: The line of the project that starts a child that was not seen yet.
        self._next: Optional[messages.Line] = None
        #: The children that were seen, by their numbers, each with the line that has started it.
        self._lines: Dict[int, Optional[messages.Line]] = {}
        self._is_heard = True
        sys.addaudithook(self._hear)

    def stop(self) -> None:
        """Note no more: a hook stays for good."""
        self._is_heard = False

    def of(self, command: str) -> Optional[messages.Written]:
        """The line that started a child that runs this command now, the last of several."""
        running = self._see()
        lines = [self._lines.get(child) for child in sorted(running) if running[child] == command]
        line = next((line for line in reversed(lines) if line is not None), None)
        return None if line is None else {**line, "call": None}

    def _see(self) -> Dict[int, str]:
        """Note the children that are new, which whoever was told of last has started."""
        running = self._children()
        for child in running.keys() - self._known:
            self._known.add(child)
            self._lines[child] = self._next
        return running

    def _hear(self, event: str, arguments: Tuple[object, ...]) -> None:
        if self._is_heard and event in _STARTS:
            self._see()
            self._next = self._line() or self._next

    def _line(self) -> Optional[messages.Line]:
        """The innermost line of the project."""
        frame: Optional[types.FrameType] = sys._getframe(2)
        while frame is not None:
            file = inside(frame.f_code.co_filename, self._rootdir)
            if file is not None and not file.startswith("jostle_harness/"):
                return {"file": file, "line": frame.f_lineno, "function": frame.f_code.co_name}
            frame = frame.f_back
        return None
