"""Which tests run a line that names a place: all tests, and many places at once.

That is no proof that it is read, and none that the name is of that very place: it tells whom to ask.
"""

from __future__ import annotations

import os
import sys
import types
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, Set, Tuple

import pytest

from . import messages
from .channel import Channel
from .crash import inside
from .reads import Lines, Sought, sought

if TYPE_CHECKING:
    from _typeshed import TraceFunction


class _Function:
    """A function of the project, with those of its lines that name places and that the test that runs has not yet run."""

    def __init__(self, code: types.CodeType, lines: Dict[int, Set[int]], readers: Readers) -> None:
        #: Kept alive, so that no other has its identity.
        self._code = code
        self._readers = readers
        #: By line the numbers of what stands for places.
        self.left = lines
        self.names_any = bool(lines)
        self.trace: TraceFunction = self._step

    def _step(self, frame: types.FrameType, event: str, _: object) -> TraceFunction:
        if event == "line":
            named = self.left.pop(frame.f_lineno, None)
            if named is not None:
                self._readers.notice(self, frame.f_lineno, named)
        return self.trace


class Readers:
    """Looks while tests run, one after the other."""

    def __init__(self, names: Sequence[str], rootdir: str) -> None:
        self._rootdir = rootdir
        #: The places by what stands for them in code, which may be the same for many.
        self._places: Dict[Sought, List[int]] = {}
        for at, name in enumerate(names):
            self._places.setdefault(sought(name, rootdir), []).append(at)
        self._sought = list(self._places)
        self._named = Lines(self._sought)
        #: Functions by the identity of their code: to tell whether two are equal takes as long as some lines of a test.
        self._functions: Dict[int, _Function] = {}
        #: The same by their code, which is made anew with each ``exec`` of the same text.
        self._equal: Dict[Tuple[str, types.CodeType], _Function] = {}
        self._found: Set[int] = set()
        #: What the test that runs has run: these lines are looked for again in the next one.
        self._was_run: List[Tuple[_Function, int, Set[int]]] = []
        self._looks = False
        self._files = {place.text: at for at, place in enumerate(self._sought) if place.sort == "file"}
        if self._files:
            sys.addaudithook(self._hear)

    def before(self, position: int, is_last: bool, channel: Channel, item: Optional[pytest.Item]) -> None:
        """Look from here on, in this thread."""
        self._found = set()
        for function, line, named in self._was_run:
            function.left[line] = named
        self._was_run.clear()
        self._looks = True
        self._before = sys.gettrace()
        sys.settrace(self._enter)

    def follow(self, position: int, channel: Channel, next_item: Optional[pytest.Item]) -> None:
        """Tell, after a test, which places it has to do with."""
        sys.settrace(self._before)
        self._looks = False
        if self._found:
            places = sorted(at for named in self._found for at in self._places[self._sought[named]])
            channel.send(messages.Reading(type="reading", position=position, places=places))

    def tell_read(self, channel: Channel) -> None:
        """Nothing is left to be told after the last test."""

    def note(self) -> None:
        """Nothing is noted of what has happened so far."""

    def take_up(self, instructions: messages.Instructions, items: Sequence[pytest.Item]) -> None:
        """Nothing is put back."""

    def notice(self, function: _Function, line: int, named: Set[int]) -> None:
        """A line that names places is run, for the first time in this test."""
        self._found |= named
        self._was_run.append((function, line, named))

    def _enter(self, frame: types.FrameType, event: str, _: object) -> Optional[TraceFunction]:
        function = self._functions.get(id(frame.f_code)) or self._function(frame.f_code, frame.f_globals)
        if function.left:
            return function.trace
        # Nothing is left to find in this test. A frame that goes on in a later one is entered again then, as those of
        # generators and coroutines are with each value, but for one whose whole stack is switched.
        return function.trace if function.names_any and "greenlet" in sys.modules else None

    def _function(self, code: types.CodeType, namespace: Dict[str, object]) -> _Function:
        known = self._equal.get((code.co_filename, code))
        if known is None:
            own = inside(code.co_filename, self._rootdir) is not None
            lines = self._named.of(code, namespace) if own else {}
            known = self._equal[code.co_filename, code] = self._functions[id(code)] = _Function(code, lines, self)
        return known

    def _hear(self, event: str, arguments: Tuple[object, ...]) -> None:
        path = arguments[0] if self._looks and event == "open" else None
        if isinstance(path, (str, bytes)):
            at = self._files.get(os.path.realpath(os.fsdecode(path)))
            if at is not None:
                self._found.add(at)
