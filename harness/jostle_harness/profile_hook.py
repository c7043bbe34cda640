"""A profiling function of ours that takes its turn with the suite's: a profiler, or a test of one, has its own."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, Callable

#: What :func:`sys.setprofile` takes: it is given a frame, an event, and what the event is about.
Profiler = Callable[[FrameType, str, Any], object]


class ProfileHook:
    """Calls a function for each event of the thread, as long as it is set, and the suite's as before."""

    def __init__(self, function: Profiler) -> None:
        self._function = function
        #: The suite's own: a function, an object of :mod:`cProfile`, or nothing.
        self._other: Any = None
        self.is_set = False
        self._is_hearing = False

    def set(self) -> None:
        """Hear of events from now on."""
        if self.is_set:
            return
        self.is_set = True
        now = sys.getprofile()
        if now != self._hear:
            self._other = now
            sys.setprofile(self._hear)

    def unset(self) -> None:
        """Hear no more. What the suite has set stays, or is set again."""
        self.is_set = False
        other, self._other = self._other, None
        if sys.getprofile() != self._hear:
            return  # it has set another since
        sys.setprofile(other if callable(other) else None)
        if hasattr(other, "enable"):
            other.enable()  # one in C knows no other way

    def _hear(self, frame: FrameType, event: str, argument: Any) -> None:
        if self._is_hearing:
            return  # the suite's calls the one that it found: ours
        self._is_hearing = True
        try:
            if callable(self._other):
                self._other(frame, event, argument)
            if self.is_set:
                self._function(frame, event, argument)
        finally:
            self._is_hearing = False
