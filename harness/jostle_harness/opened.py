"""Which files were opened to be written, made, moved or removed, and whether sockets were made: what Python tells of it, by
audit events.

Other programs and C code tell nothing. Once a program was started, any file may be another.
"""

from __future__ import annotations

import os
import sys
from typing import Set, Tuple

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: Events of which all paths that are told matter.
_OF_PATHS = frozenset(
    (
        "os.remove",
        "os.rename",
        "os.link",
        "os.symlink",
        "os.truncate",
        "os.mkdir",
        "os.rmdir",
        "shutil.copyfile",
        "shutil.move",
        "shutil.rmtree",
        "sqlite3.connect",
    )
)
#: Events after which anything may have been written.
_OF_PROGRAMS = frozenset(("subprocess.Popen", "os.posix_spawn", "os.fork", "os.exec", "os.system"))
_OF_SOCKETS = frozenset(("socket.__new__", "socket.bind", "socket.connect"))
_ALL = frozenset(("open", *_OF_PATHS, *_OF_PROGRAMS, *_OF_SOCKETS))


class Opened:
    """What was opened since :meth:`forget`. A process has one of these: who hears audit events hears them for good."""

    def __init__(self) -> None:
        self._paths: Set[str] = set()
        self._is_anything = False
        self._is_network = False
        self.is_heard = True
        sys.addaudithook(self._hear)

    def __bool__(self) -> bool:
        return self._is_anything or bool(self._paths)

    def forget(self) -> None:
        """Begin anew."""
        self._paths.clear()
        self._is_anything = self._is_network = False

    @property
    def may_be_ports(self) -> bool:
        """Whether a port may have been taken or given back."""
        return self._is_anything or self._is_network

    def may_be(self, path: str) -> bool:
        """Whether a file, or a folder that it lies in, was opened, or may have been."""
        known = (os.path.realpath(known) for known in self._paths)
        return self._is_anything or any(path == one or path.startswith(one + os.sep) for one in known)

    def _hear(self, event: str, arguments: Tuple[object, ...]) -> None:
        if event not in _ALL or not self.is_heard:
            return
        if event == "open":
            flags = arguments[2] if len(arguments) > 2 else 0
            if isinstance(flags, int) and flags & _WRITING:
                self._add(arguments[:1])
        elif event in _OF_PATHS:
            self._add(arguments)
        elif event in _OF_SOCKETS:
            self._is_network = True
        else:
            self._is_anything = True

    def _add(self, paths: Tuple[object, ...]) -> None:
        for path in paths:
            if isinstance(path, (str, bytes)):
                self._paths.add(os.path.abspath(os.fsdecode(path)))
