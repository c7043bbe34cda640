"""Which tests run a line that names a place: all tests, and many places at once.

That is no proof that it is read, and none that the name is of that very place: it tells whom to ask.
"""

from __future__ import annotations

import os
import sys
import types
from typing import TYPE_CHECKING, Dict, Optional, Sequence, Set, Tuple

import pytest

from . import messages
from .channel import Channel
from .crash import inside
from .reads import Lines, sought

if TYPE_CHECKING:
    from _typeshed import TraceFunction


class Readers:
    """Looks while tests run, one after the other."""

    def __init__(self, names: Sequence[str], rootdir: str) -> None:
        self._rootdir = rootdir
        self._sought = [sought(name, rootdir) for name in names]
        self._named = Lines(self._sought)
        self._lines: Dict[types.CodeType, Dict[int, Set[int]]] = {}
        self._found: Set[int] = set()
        self._looks = False
        if any(place.sort == "file" for place in self._sought):
            sys.addaudithook(self._hear)

    def before(self, position: int, is_last: bool, channel: Channel, item: Optional[pytest.Item]) -> None:
        """Look from here on, in this thread."""
        self._found = set()
        self._looks = True
        self._before = sys.gettrace()
        sys.settrace(self._enter)

    def follow(self, position: int, channel: Channel, next_item: Optional[pytest.Item]) -> None:
        """Tell, after a test, which places it has to do with."""
        sys.settrace(self._before)
        self._looks = False
        if self._found:
            channel.send(messages.Reading(type="reading", position=position, places=sorted(self._found)))

    def tell_read(self, channel: Channel) -> None:
        """Nothing is left to be told after the last test."""

    def note(self) -> None:
        """Nothing is noted of what has happened so far."""

    def take_up(self, instructions: messages.Instructions, items: Sequence[pytest.Item]) -> None:
        """Nothing is put back."""

    def _enter(self, frame: types.FrameType, event: str, _: object) -> Optional[TraceFunction]:
        code = frame.f_code
        if code not in self._lines:
            own = inside(code.co_filename, self._rootdir) is not None
            self._lines[code] = self._named.of(code, frame.f_globals) if own else {}
        return self._step if self._lines[code] else None

    def _step(self, frame: types.FrameType, event: str, _: object) -> TraceFunction:
        if event == "line":
            self._found |= self._lines[frame.f_code].get(frame.f_lineno, set())
        return self._step

    def _hear(self, event: str, arguments: Tuple[object, ...]) -> None:
        path = arguments[0] if self._looks and event == "open" else None
        if isinstance(path, (str, bytes)):
            real = os.path.realpath(os.fsdecode(path))
            self._found.update(
                at for at, place in enumerate(self._sought) if place.sort == "file" and place.text == real
            )
