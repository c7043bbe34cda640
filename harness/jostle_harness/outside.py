"""What a test touches outside of its process, as Python's audit events (PEP 578) tell it: files, what folders list, ports.

Names are those of every machine: ``$TMPDIR`` and ``$ROOTDIR`` stand for the folders. What each worker has of its own
(``tmp_path``, names that hold the worker's id) and what no test should change (Python's own files) has no name.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from types import FrameType
from typing import Any, Callable, Dict, FrozenSet, List, NamedTuple, Optional, Tuple

from . import doctests
from .channel import Setup, text
from .crash import inside
from .messages import Operation

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_UNLOCK, _SHARED = 8, 1
_PATHS = ("file:", "listing:")
_HERE = os.path.dirname(os.path.abspath(__file__))


class Access(NamedTuple):
    """One thing that is done to one resource."""

    #: ``file:$TMPDIR/a.txt``, ``listing:$TMPDIR``, ``port:tcp 8080``
    resource: str
    #: What is done.
    call: Operation
    writes: bool


class Outside:
    """Names resources, and translates audit events into accesses."""

    def __init__(self, setup: Setup, rootdir: str) -> None:
        self._rootdir = rootdir
        self._stdlib = sysconfig.get_paths()["stdlib"]
        temporary = os.path.join(setup.folder, "tmp")
        own = [setup.folder, sys.pycache_prefix, sys.prefix, sys.base_prefix, self._stdlib, "/proc", "/sys", "/dev"]
        roots: Dict[str, Optional[str]] = {os.path.normpath(path): None for path in own if path}
        roots.update({temporary: "$TMPDIR", rootdir: "$ROOTDIR", "/dev/shm": "/dev/shm"})
        #: Folders and what stands for them, the innermost first.
        self.roots = sorted(roots.items(), key=lambda root: -len(root[0]))
        #: The worker's name, which tells what is its own.
        self.worker: Optional[str] = setup.worker["id"] if setup.worker is not None else None
        worker = self.worker
        self._own = re.compile(rf"(?<![A-Za-z0-9]){worker}(?![0-9])") if worker else None
        self._frames: Dict[str, Optional[str]] = {}
        #: What else than its loopback leads to this machine. A sandbox shows none of its interfaces.
        self._hosts = frozenset(host.lower() for host in (setup.watch or {"hosts": []})["hosts"])
        #: Where SQLite's connections lead to, by the connection's ``id``, and the last of them.
        self._databases: Dict[int, str] = {}
        self._database: Optional[str] = None

    def accesses(self, event: str, arguments: Tuple[Any, ...]) -> List[Access]:
        """What an audit event says will be done."""
        translate = EVENTS.get(event)
        return [] if translate is None else translate(self, *arguments)

    def place(self, depth: int) -> str:
        """``file:line`` of the innermost frame of the project, else of the innermost that is not Python's own."""
        frame: Optional[FrameType] = sys._getframe(depth + 1)
        foreign = ""
        while frame is not None:
            line = self.line(frame)
            if line is not None:
                return line
            name = frame.f_code.co_filename
            if not foreign and not name.startswith((self._stdlib + os.sep, _HERE, "<")) or "site-packages" in name:
                foreign = foreign or "/".join(name.split(os.sep)[-2:]) + f":{frame.f_lineno}"
            frame = frame.f_back
        return text(foreign)

    def line(self, frame: FrameType) -> Optional[str]:
        """``file:line`` of a frame of the project; nothing for others."""
        name = frame.f_code.co_filename
        if name not in self._frames or name.startswith(doctests.PREFIX):
            self._frames[name] = inside(name, self._rootdir)
        file = self._frames[name]
        return None if file is None else text(f"{file}:{doctests.line_of(name, frame.f_lineno, '')[0]}")

    def name(self, path: Any, folder: int = -1) -> Optional[str]:
        """The name of a path, relative to an open folder if one is given; nothing if it is nobody else's business."""
        if isinstance(path, int):
            path = _path_of(path)
        try:
            absolute = os.fsdecode(path)
        except TypeError:
            return None
        if not os.path.isabs(absolute):
            base = os.getcwd() if folder is None or folder < 0 else _path_of(folder)
            absolute = os.path.join(base or "", absolute)
        absolute = os.path.normpath(absolute)
        if "__pycache__" in absolute or self._own is not None and self._own.search(absolute):
            return None
        for root, symbol in self.roots:
            if absolute == root or absolute.startswith(root + os.sep):
                if symbol is None or absolute.startswith(os.path.join(root, "pytest-of-")):
                    return None
                return text(symbol + absolute[len(root) :])
        return text(absolute)

    def file(self, path: Any, call: Operation, writes: bool, folder: int = -1) -> List[Access]:
        """An access to a file."""
        name = self.name(path, folder)
        return [] if name is None else [Access("file:" + name, call, writes)]

    def entry(self, path: Any, call: Operation, folder: int = -1) -> List[Access]:
        """An access that changes what a folder lists, too."""
        name = self.name(path, folder)
        if name is None:
            return []
        return [Access("file:" + name, call, True), Access("listing:" + os.path.dirname(name), call, True)]

    def stream(self, stream: Any, call: Operation, writes: bool) -> List[Access]:
        """An access through an open file."""
        return self.file(stream.name, call, writes)

    def port(self, address: Any, kind: int, call: Operation, writes: bool) -> List[Access]:
        """An access to a port, or to a socket in the file system."""
        if isinstance(address, tuple) and len(address) > 1 and address[1]:
            if not writes and not self._is_of_this_machine(address[0]):
                return []
            protocol = {1: "tcp", 2: "udp"}.get(kind, str(kind))
            return [Access(f"port:{protocol} {address[1]}", call, writes)]
        if isinstance(address, (str, bytes)) and address[:1] not in ("", b"", "\0", b"\0"):
            return self.entry(address, call) if writes else self.file(address, call, writes)
        return []

    def _is_of_this_machine(self, host: Any) -> bool:
        """Whether a host is this machine: the ports of others are other resources."""
        host = text(host).lower().partition("%")[0].rstrip(".") if isinstance(host, str) else ""
        if host in ("", "0.0.0.0", "::", "::1", "localhost", "ip6-localhost"):
            return True
        plain = host.removeprefix("::ffff:")
        return plain.startswith("127.") or plain in self._hosts

    def database(self, connection: Any, call: Operation) -> List[Access]:
        """An access through a connection of SQLite's."""
        name = self._databases.get(id(connection), self._database)
        return [] if name is None else [Access("file:" + name, call, True)]

    def _open(self, path: Any, mode: Any, flags: Any) -> List[Access]:
        if not isinstance(flags, int) or not flags & _WRITING:
            return self.file(path, "open to read", False)
        if flags & os.O_EXCL:
            return self.entry(path, "create")
        call: Operation = "open to append" if flags & os.O_APPEND else "open to write"
        if flags & os.O_CREAT and not isinstance(path, int) and not os.path.lexists(path):
            return self.entry(path, call)
        return self.file(path, call, True)

    def _rename(self, source: Any, target: Any, source_folder: int = -1, target_folder: int = -1) -> List[Access]:
        return self.entry(target, "rename to", target_folder) + self.entry(source, "rename", source_folder)

    def _list(self, path: Any = None) -> List[Access]:
        name = self.name("." if path is None else path)
        return [] if name is None else [Access("listing:" + name, "list", False)]

    def _mkdir(self, path: Any, mode: int, folder: int = -1) -> List[Access]:
        exists = folder is not None and folder < 0 and os.path.lexists(path)
        return (
            self.file(path, "make the folder", True, folder) if exists else self.entry(path, "make the folder", folder)
        )

    def _lock(self, descriptor: Any, operation: int, *_: Any) -> List[Access]:
        call: Operation = "unlock" if operation & _UNLOCK else "lock"
        return self.file(descriptor, call, not operation & _SHARED)

    def _connect(self, database: Any, *_: Any) -> List[Access]:
        path = os.fsdecode(database) if isinstance(database, (str, bytes, os.PathLike)) else ""
        if path.startswith("file:"):
            path = "" if "mode=memory" in path else path[5:].split("?")[0]
        self._database = None if path in ("", ":memory:") else self.name(path)
        return [] if self._database is None else [Access("file:" + self._database, "connect to", False)]

    def _connected(self, connection: Any) -> List[Access]:
        if self._database is not None:
            self._databases[id(connection)] = self._database
        else:
            self._databases.pop(id(connection), None)
        return []


def last_names(resources: FrozenSet[str]) -> Optional[FrozenSet[str]]:
    """What one of the last two components of a path is that leads to one of these resources; nothing if any may."""
    names = {resource.partition(":")[2].rpartition("/")[2] for resource in resources}
    # A folder that has a symbol is called otherwise, and other resources than files have no path.
    if any(name.startswith("$") for name in names) or not all(one.startswith(_PATHS) for one in resources):
        return None
    return frozenset(names | {"", ".", ".."})


def _path_of(descriptor: int) -> Optional[str]:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return None


#: The audit events that matter, and what they say.
EVENTS: Dict[str, Callable[..., List[Access]]] = {
    "open": Outside._open,
    "os.remove": lambda self, path, folder=-1: self.entry(path, "remove", folder),
    "os.rmdir": lambda self, path, folder=-1: self.entry(path, "remove the folder", folder),
    "os.mkdir": Outside._mkdir,
    "os.rename": Outside._rename,
    "os.link": lambda self, _, target, __=-1, folder=-1: self.entry(target, "link", folder),
    "os.symlink": lambda self, _, target, folder=-1: self.entry(target, "link", folder),
    "os.truncate": lambda self, path, _: self.file(path, "truncate", True),
    "os.chmod": lambda self, path, _, folder=-1: self.file(path, "change the mode of", True, folder),
    "os.listdir": Outside._list,
    "os.scandir": Outside._list,
    "fcntl.flock": Outside._lock,
    "fcntl.lockf": Outside._lock,
    "socket.bind": lambda self, socket, address: self.port(address, socket.type, "bind", True),
    "socket.connect": lambda self, socket, address: self.port(address, socket.type, "connect to", False),
    "sqlite3.connect": Outside._connect,
    "sqlite3.connect/handle": Outside._connected,
}
