"""The standard streams and descriptors, and asyncio's current event loop: what a test may close for all that follow.

While tests run ``sys.stdout`` is pytest's capturing file, unless capturing is off. pytest puts its streams in place for
each phase of a test, so that a test which merely replaces one harms nobody; one that closes it breaks pytest itself.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Optional, Tuple

from . import pytest_private
from .file_objects import is_file_object
from .places import Place

if TYPE_CHECKING:
    import asyncio

    import pytest
    from _pytest.capture import CaptureManager

_NAMES = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")
_CAPTURED = {"stdout": "out", "stderr": "err"}
_LOOP = "asyncio.get_event_loop()"

#: The object, and whether it can still be used.
_State = Tuple[Optional[int], bool]


class Streams:
    """The streams as they were when this was made."""

    def __init__(self, capture: Optional[CaptureManager]) -> None:
        self._capture = capture
        #: The test before which places are put back.
        self.next_item: Optional[pytest.Item] = None
        self._objects = {name: self._stream(name) for name in _NAMES}
        self._closed = {name: _is_closed(stream) for name, stream in self._objects.items()}
        self._descriptors = [_descriptor(number) for number in range(3)]
        self._copies = [_copy(number) for number in range(3)]
        self._loop = _loop_state()
        self._loop_object = _loop()

    def take_copies(self, other: Streams) -> None:
        """Keep the copies of the descriptors that others have, in place of own ones."""
        self.close_copies()
        self._copies = other._copies

    def close_copies(self) -> None:
        """Close the copies of the descriptors: nothing is put back any more."""
        for copy in self._copies:
            if copy is not None:
                os.close(copy)
        self._copies = [None] * len(self._copies)

    def covers(self, name: str) -> bool:
        """Whether a place that is found elsewhere is told of here."""
        if name == "asyncio.events._event_loop_policy":  # made by whoever first asks for a loop
            return self._loop == (None, False)
        return name.startswith("sys.") and name[len("sys.") :] in _NAMES

    def held(self) -> Iterator[object]:
        """The streams that are Python's own file objects, and what all of them read and write through."""
        for stream in self._objects.values():
            buffer = getattr(stream, "buffer", None)
            layers = (stream, buffer, getattr(buffer, "raw", None))
            yield from (layer for layer in layers if is_file_object(type(layer)))

    def probe(self, name: str) -> Optional[Callable[[], Any]]:
        """What gives the state of the place of this name, if it is one of these."""
        if name == _LOOP:
            return _loop_state
        start, _, number = name.partition(" ")
        if start == "descriptor" and number in ("0", "1", "2"):
            return lambda: _descriptor(int(number))
        stream = name[len("sys.") :] if name.startswith("sys.") else ""
        return (lambda: self._state(stream)) if stream in _NAMES else None

    def changes(self) -> Iterator[Place]:
        """What differs by now."""
        for name in _NAMES:
            now, old = self._stream(name), self._objects[name]
            is_closed, was_closed = _is_closed(now), self._closed[name]
            if (now is not old and not self._is_captured(name)) or is_closed != was_closed:
                shown = (_show(old, was_closed), _show(now, is_closed))
                yield Place(f"sys.{name}", "standard stream", *shown, self._restorer(name))
        for number, old_file in enumerate(self._descriptors):
            new_file = _descriptor(number)
            if new_file != old_file:
                before, after = ("closed" if file is None else "open" for file in (old_file, new_file))
                after = "another file" if before == after else after
                yield Place(f"descriptor {number}", "descriptor", before, after, self._putter(number))
        if _loop_state() != self._loop:
            before, after = (_show_loop(*state) for state in (self._loop, _loop_state()))
            after = "another loop" if before == after else after
            yield Place(_LOOP, "event loop", before, after, self._put_loop)

    def _captured(self, name: str) -> Any:
        """pytest's capturing file in the place of a stream, if that is captured."""
        return pytest_private.captured_stream(self._capture, _CAPTURED.get(name, ""))

    def _is_captured(self, name: str) -> bool:
        return self._captured(name) is not None

    def _stream(self, name: str) -> Any:
        """What tests find under this name."""
        return self._captured(name) if self._is_captured(name) else getattr(sys, name, None)

    def _state(self, name: str) -> _State:
        stream = self._stream(name)
        return (id(stream), _is_closed(stream))

    def _restorer(self, name: str) -> Optional[Callable[[], None]]:
        if self._is_captured(name):
            return self._capture_anew
        return None if self._closed[name] else lambda: self._put(name)

    def _capture_anew(self) -> None:
        """Give pytest new capturing files, as it cannot go on without one that is closed, and end what it could not."""
        assert self._capture is not None
        pytest_private.capture_anew(self._capture)
        if self.next_item is not None:
            pytest_private.tear_down_left(self.next_item)

    def _put(self, name: str) -> None:
        stream = self._objects[name]
        if _is_closed(stream):  # what is closed cannot be opened again: another takes its place
            number = ("stdin", "stdout", "stderr").index(name.strip("_"))
            copy = self._copies[number]
            if copy is None:
                raise OSError(f"descriptor {number} was closed")
            os.dup2(copy, number)
            stream = open(number, "r" if number == 0 else "w", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)

    def _putter(self, number: int) -> Optional[Callable[[], None]]:
        copy = self._copies[number]
        if copy is None:
            return None
        return lambda: _copy_to(copy, number)

    def _put_loop(self) -> None:
        local = _local()
        if local is None:
            return
        loop, (_, was_closed) = self._loop_object, self._loop
        if loop is not None and loop.is_closed() and not was_closed:
            loop = sys.modules["asyncio"].new_event_loop()
        local._loop = loop
        if loop is None and hasattr(local, "_set_called"):
            local._set_called = False


def _copy_to(copy: int, number: int) -> None:
    os.dup2(copy, number)


def _is_closed(stream: object) -> bool:
    return bool(getattr(stream, "closed", False))


def _show(stream: object, is_closed: bool) -> str:
    if stream is None:
        return "None"
    kind = type(stream)
    if pytest_private.is_capturing_file(kind):
        return f"pytest's capturing file, {'closed' if is_closed else 'open'}"
    return f"<{kind.__module__}.{kind.__qualname__}>, {'closed' if is_closed else 'open'}"


def _descriptor(number: int) -> Optional[Tuple[int, int]]:
    """What a descriptor is open on; nothing if it is closed."""
    try:
        status = os.fstat(number)
    except OSError:
        return None
    return (status.st_dev, status.st_ino)


def _copy(number: int) -> Optional[int]:
    try:
        return os.dup(number)
    except OSError:
        return None


def _local() -> Any:
    """Where asyncio keeps the main thread's loop; nothing if nobody has asked for one yet. Nothing is made here."""
    events: Dict[str, Any] = vars(sys.modules.get("asyncio.events", object)).copy()
    return getattr(events.get("_event_loop_policy"), "_local", None)


def _loop() -> Optional[asyncio.AbstractEventLoop]:
    return getattr(_local(), "_loop", None)


def _loop_state() -> Tuple[Optional[int], bool]:
    """The current loop and whether it is closed; without one, whether asyncio will still make one."""
    loop = _loop()
    if loop is None:
        return (None, bool(getattr(_local(), "_set_called", False)))
    return (id(loop), bool(loop.is_closed()))


def _show_loop(loop: Optional[int], flag: bool) -> str:
    if loop is None:
        return "no loop, and none will be made" if flag else "not made yet"
    return "a closed loop" if flag else "an open loop"
