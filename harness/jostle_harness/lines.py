"""The line of the project that has made the last call, kept where jostle can read it while a system call waits."""

from __future__ import annotations

import array
from types import FrameType
from typing import Optional, Set

from .outside import Outside

#: Longer names of files are cut.
_MOST = 1024


class Lines:
    """To be told of each call of the thread."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._memory = array.array("b", bytes(_MOST))
        self._view = memoryview(self._memory).cast("B")
        #: Where the line stands, with a zero at its end.
        self.address: int = self._memory.buffer_info()[0]
        self._foreign: Set[str] = set()
        self._last = ("", 0)

    def passes(self, frame: Optional[FrameType]) -> None:
        """A frame makes a call."""
        if frame is None or frame.f_code.co_filename in self._foreign:
            return
        here = (frame.f_code.co_filename, frame.f_lineno)
        if here == self._last:
            return
        line = self._outside.line(frame)
        if line is None:
            self._foreign.add(here[0])
            return
        self._last = here
        words = line.encode("utf-8")[: _MOST - 1] + b"\0"
        self._view[: len(words)] = words

    def forget(self) -> None:
        """What comes next is made by no call of before."""
        self._last = ("", 0)
        self._view[:1] = b"\0"
