"""Python's own file objects: what they hold, read without an effect on them or on their files, and putting that back.

Only objects of these very classes, down to the file itself, are asked anything: others may be code of the suite.

A file that was closed is opened anew only where its name still leads to it, and a text only if it was opened with the
usual ``newline``, which nothing but the collector tells.
"""

from __future__ import annotations

import codecs
import collections
import dataclasses
import functools
import gc
import io
import itertools
import os
from typing import Any, Callable, Deque, Iterator, Optional, Tuple

from . import limits
from .places import home_of, is_a, show
from .settings import ERROR_HANDLERS

_open, _stat, _fstat = open, os.stat, os.fstat  # bound now: a test may replace them
#: Python's own, whatever a test registers under their names.
_HANDLERS = {name: codecs.lookup_error(name) for name in ERROR_HANDLERS}
#: Each ``newline`` that can be asked for.
_NEWLINES = frozenset(("", "\n", "\r", "\r\n"))
#: Device and inode.
_File = Tuple[int, int]
# Classes are known by their identities here, as a metaclass of the suite's may compare in its own way.
_IN_MEMORY = frozenset(map(id, (io.StringIO, io.BytesIO)))
_BUFFERED = frozenset(map(id, (io.BufferedReader, io.BufferedWriter, io.BufferedRandom)))
_KINDS = frozenset((id(io.FileIO), id(io.TextIOWrapper))) | _IN_MEMORY | _BUFFERED


@dataclasses.dataclass(frozen=True)
class Held:
    """What a file object holds."""

    is_closed: bool
    #: Where it is read or written next; nothing where that cannot be told.
    position: Optional[int] = None
    #: How long it is, if it is in memory.
    length: Optional[int] = None
    #: The whole of what is in memory, unless that is too long.
    content: Any = None
    #: How a text in memory ends its lines.
    newline: Optional[str] = None
    #: Which file it reads or writes. That is no part of what is told.
    file: Optional[_File] = dataclasses.field(default=None, compare=False)

    @property
    def is_cut_off(self) -> bool:
        """Whether there was more than is kept."""
        return self.length is not None and self.content is None


def is_file_object(kind: type) -> bool:
    """Whether objects of this class are looked at."""
    return id(kind) in _KINDS


def read(file: Any) -> Held:
    """What a file object holds, as far as it can be told."""
    try:
        if id(type(file)) in _IN_MEMORY:
            return _in_memory(file)
        raw = _raw(file)
        if raw is None or raw.closed:
            return Held(raw is not None)
        return Held(False, _position(file, raw), file=_file(lambda: _fstat(raw.fileno())))
    except (ValueError, LookupError):  # it is not set up, or its encoding is gone
        return Held(False)


def _in_memory(file: Any) -> Held:
    if file.closed:
        return Held(True)
    position, length = _extent(file)
    if length > limits.KEPT_BYTES:
        return Held(False, position, length)
    if type(file) is io.BytesIO:
        return Held(False, position, length, file.getvalue())
    content, newline, position = file.__getstate__()[:3]
    return Held(False, position, length, content, newline)


def _extent(file: Any) -> Tuple[int, int]:
    """Where an object in memory is read or written next, and how long it is, for which it is sent to its end and back by
    one call of C: no other thread sees that."""
    found: Deque[int] = collections.deque()
    back = map(found.__getitem__, (0,))
    found.extend(map(file.seek, itertools.chain((0, 0), back), (io.SEEK_CUR, io.SEEK_END, io.SEEK_SET)))
    return found[0], found[1]


def _file(ask: Callable[[], os.stat_result]) -> Optional[_File]:
    """Which file the system tells of, if there is one."""
    try:
        status = ask()
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino)


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
    """Where a file is read or written next; nothing for a pipe, a text that is written or iterated, and what is only added
    to, by whomever."""
    if "a" in raw.mode or not _tells_without_effect(file, raw):
        return None
    try:
        return int(file.tell())
    except (OSError, ValueError):
        return None


def _tells_without_effect(file: Any, raw: io.FileIO) -> bool:
    """Whether a file writes nothing when it is asked for its position, and decodes by Python's own code."""
    if type(file) is not io.TextIOWrapper:
        return True
    try:
        decoder = codecs.lookup(file.encoding).incrementaldecoder
        handles_by_python = codecs.lookup_error(file.errors or "") is _HANDLERS.get(file.errors or "")
    except LookupError:
        return False
    decodes_by_python = is_a(decoder, type) and home_of(decoder).partition(".")[0] == "encodings"
    return raw.mode == "rb" and decodes_by_python and handles_by_python


def shown(held: Held) -> str:
    """What a file object holds, for a reader."""
    if held.is_closed:
        return "closed"
    if held.position is None:
        return "open"
    if held.length is None:
        return f"at {held.position}"
    content = f"{held.length} long," if held.is_cut_off else show(held.content)
    return f"{content} at {held.position}"


def restorer(file: Any, old: Held, now: Held) -> Optional[Callable[[], None]]:
    """What gives a file object what it held; nothing if that cannot be done."""
    if id(type(file)) in _IN_MEMORY:
        if old.is_closed:
            return file.close  # type: ignore[no-any-return]
        return None if old.content is None else functools.partial(_refill, file, old)
    raw = _raw(file)
    if raw is None or old.position is None or now.is_closed or not _tells_without_effect(file, raw):
        return None
    return functools.partial(_seek, file, old.position)


def opener(file: Any, old: Held) -> Optional[Callable[[], Any]]:
    """What opens a file that was closed anew, where it was read next; nothing if it was written, or its name is of another
    file by now, as a relative one may be in another folder."""
    raw = _raw(file)
    name = getattr(raw, "name", None)
    if raw is None or old.position is None or raw.mode != "rb" or type(name) is not str:
        return None
    if old.file is None or _file(lambda: _stat(name)) != old.file:
        return None
    if not _tells_without_effect(file, raw) or not _ends_lines_as_usual(file):
        return None
    return functools.partial(_opened_anew, file, raw, old.position)


def _ends_lines_as_usual(file: Any) -> bool:
    """Whether no ``newline`` was asked for, which a text file refers to and does not tell."""
    return _NEWLINES.isdisjoint(part for part in gc.get_referents(file) if type(part) is str)


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
