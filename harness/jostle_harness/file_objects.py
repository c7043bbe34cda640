"""Python's own file objects: what they hold, read without an effect on them or on their files, and putting that back.

Only objects of these very classes, down to the file itself, are asked anything: others may be code of the suite.
"""

from __future__ import annotations

import codecs
import functools
import io
from typing import Any, Callable, Iterator, NamedTuple, Optional

from .places import home_of, is_a, show
from .settings import ERROR_HANDLERS

_open = open  # bound now: a test may replace it
# Classes are known by their identities here, as a metaclass of the suite's may compare in its own way.
_IN_MEMORY = frozenset(map(id, (io.StringIO, io.BytesIO)))
_BUFFERED = frozenset(map(id, (io.BufferedReader, io.BufferedWriter, io.BufferedRandom)))
_KINDS = frozenset((id(io.FileIO), id(io.TextIOWrapper))) | _IN_MEMORY | _BUFFERED


class Held(NamedTuple):
    """What a file object holds."""

    is_closed: bool
    #: Where it is read or written next; nothing where that cannot be told.
    position: Optional[int] = None
    #: The whole of what it holds, if that is in memory.
    content: Any = None
    #: How a text in memory ends its lines.
    newline: Optional[str] = None


def is_file_object(kind: type) -> bool:
    """Whether objects of this class are looked at."""
    return id(kind) in _KINDS


def read(file: Any) -> Held:
    """What a file object holds, as far as it can be told."""
    try:
        if id(type(file)) in _IN_MEMORY:
            return _in_memory(file)
        raw = _raw(file)
        return Held(raw is not None and raw.closed, None if raw is None else _position(file, raw))
    except (ValueError, LookupError):  # it is not set up, or its encoding is gone
        return Held(False)


def _in_memory(file: Any) -> Held:
    if file.closed:
        return Held(True)
    if type(file) is io.BytesIO:
        return Held(False, file.tell(), file.getvalue())
    content, newline, position = file.__getstate__()[:3]
    return Held(False, position, content, newline)


def _layers(file: Any) -> Iterator[Any]:
    """A file object and those that it reads and writes through."""
    yield file
    if type(file) is io.TextIOWrapper:
        yield from _layers(file.buffer)
    elif id(type(file)) in _BUFFERED:
        yield from _layers(file.raw)


def _raw(file: Any) -> Optional[io.FileIO]:
    """What has the file itself; nothing if another class than Python's has, or nobody any more."""
    *_, raw = _layers(file)
    return raw if type(raw) is io.FileIO else None


def _position(file: Any, raw: io.FileIO) -> Optional[int]:
    """Where a file is read or written next; nothing for what has no position or does not tell it while it is iterated."""
    if type(file) is io.TextIOWrapper and not _tells_without_effect(file, raw):
        return None
    try:
        return int(file.tell())
    except (OSError, ValueError):
        return None


def _tells_without_effect(file: io.TextIOWrapper, raw: io.FileIO) -> bool:
    """Whether a text file writes nothing when it is asked for its position, and decodes by Python's own code."""
    decoder = codecs.lookup(file.encoding).incrementaldecoder
    by_python = is_a(decoder, type) and home_of(decoder).partition(".")[0] == "encodings"
    return raw.mode == "rb" and by_python and file.errors in ERROR_HANDLERS


def shown(held: Held) -> str:
    """What a file object holds, for a reader."""
    if held.is_closed:
        return "closed"
    if held.position is None:
        return "open"
    return f"at {held.position}" if held.content is None else f"{show(held.content)} at {held.position}"


def restorer(file: Any, old: Held, now: Held) -> Optional[Callable[[], None]]:
    """What gives a file object what it held; nothing if that cannot be done."""
    if id(type(file)) in _IN_MEMORY:
        return file.close if old.is_closed else functools.partial(_refill, file, old)
    if old.position is None or now.is_closed:
        return None
    return functools.partial(_seek, file, old.position)


def opener(file: Any, old: Held) -> Optional[Callable[[], Any]]:
    """What opens a file that was closed anew, where it was read next; nothing if it was written or has no name."""
    raw = _raw(file)
    if raw is None or old.position is None or raw.mode != "rb" or type(getattr(raw, "name", None)) is not str:
        return None
    return functools.partial(_opened_anew, file, raw, old.position)


def _refill(file: Any, held: Held) -> None:
    """Set up an object in memory anew, which opens one that was closed."""
    if type(file) is io.BytesIO:
        io.BytesIO.__init__(file, held.content)
        file.seek(held.position or 0)
    else:
        io.StringIO.__init__(file)
        file.__setstate__((held.content, held.newline, held.position, None))


def _seek(file: Any, position: int) -> None:
    if type(file) is io.TextIOWrapper:  # it tells its position again once an iteration has come to the end
        file.seek(0, io.SEEK_END)
        next(file, None)
    file.seek(position)


def _opened_anew(file: Any, raw: io.FileIO, position: int) -> Any:
    if type(file) is io.TextIOWrapper:
        again: Any = _open(raw.name, encoding=file.encoding, errors=file.errors)
    else:
        again = _open(raw.name, "rb", 0 if file is raw else -1)
    again.seek(position)
    return again
