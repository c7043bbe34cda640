"""The channel to jostle: JSON lines over an inherited socket, never stdout."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
from typing import Any, Dict, List, Optional

PROTOCOL = 1

#: Above what programs use, so that a test which closes "all" low descriptors does not hit it.
_HIGH = 800


class ChannelClosed(Exception):
    """jostle has gone, or a test closed the channel."""


class Channel:
    """One end of the socket. The other end sends one ``setup`` message first."""

    def __init__(self, descriptor: int) -> None:
        try:
            high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH)
        except OSError:  # the limit of descriptors is lower than that
            high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
        os.close(descriptor)
        self._socket = socket.socket(fileno=high)
        self._pending = b""
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def send(self, kind: str, **fields: Any) -> None:
        """Send a message. A fork of the worker that comes here by accident says nothing."""
        if os.getpid() != self._pid:
            return
        line = json.dumps({"type": kind, **fields}, ensure_ascii=True).encode("ascii") + b"\n"
        try:
            with self._lock:
                self._socket.sendall(line)
        except OSError as error:
            raise ChannelClosed(str(error)) from error

    def receive(self) -> Dict[str, Any]:
        """Wait for the next message."""
        while b"\n" not in self._pending:
            try:
                more = self._socket.recv(1 << 20)
            except OSError as error:
                raise ChannelClosed(str(error)) from error
            if not more:
                raise ChannelClosed("jostle has gone")
            self._pending += more
        line, self._pending = self._pending.split(b"\n", 1)
        message: Dict[str, Any] = json.loads(line)
        return message


class Setup:
    """What jostle wants of this process: the fields of the ``setup`` message."""

    def __init__(self, message: Dict[str, Any]) -> None:
        self.collect_only: bool = message["collect_only"]
        self.imports: Optional[List[str]] = message["imports"]
        self.worker: Optional[Dict[str, Any]] = message["worker"]
        self.random_seed: int = message["random_seed"]
        self.tests: List[List[Any]] = message["tests"]
        self.meetings = frozenset(message["meetings"])
        self.folder: str = message["folder"]


def text(value: object, most: int = 0) -> str:
    """A string that JSON and Rust can hold: lone surrogates become backslash escapes.

    ``most`` is how many characters of its end are kept; 0 keeps all.
    """
    try:
        string = str(value)
    except Exception as error:  # a broken __str__ must not end the run
        string = f"<unprintable {type(value).__name__}: {type(error).__name__}>"
    string = string[-most:] if most else string
    return string.encode("utf-8", "backslashreplace").decode("utf-8")
