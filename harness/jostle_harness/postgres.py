"""A session with a PostgreSQL server of the trial's own, which trusts whoever comes: the simple part of its language, so that
no library of the suite's is needed, and none is touched.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Dict, List, Optional, Tuple

from . import limits, sockets

_VERSION = 3 << 16
#: A row, as the server writes its values.
Row = Tuple[Optional[str], ...]


class Refused(Exception):
    """The server has an error, or is not there."""


class Session:
    """A session, which others do not wait for: it gives up where somebody holds a lock."""

    def __init__(self, port: int, user: str, database: str) -> None:
        options = "-c lock_timeout=1000 -c statement_timeout=10000 -c session_replication_role=replica"
        given = {"user": user, "database": database, "client_encoding": "UTF8", "options": options}
        try:
            self._socket = sockets.connected(port, limits.SERVER_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise Refused(str(error)) from error
        self._pending = b""
        body = b"".join(_text(word) for pair in given.items() for word in pair) + b"\0"
        self._send(b"", struct.pack("!I", _VERSION) + body)
        self._answer()

    def close(self) -> None:
        """End it, and wait until the server has: one that is ending counts among its sessions, and uses its database."""
        with contextlib.suppress(OSError, Refused):
            self._send(b"X", b"")
            while self._socket.recv(1 << 16):
                pass
        self._socket.close()

    def rows(self, statement: str) -> List[Row]:
        """The rows that a statement gives."""
        self._send(b"Q", _text(statement))
        return self._answer()

    def _send(self, kind: bytes, body: bytes) -> None:
        try:
            self._socket.sendall(kind + struct.pack("!I", len(body) + 4) + body)
        except OSError as error:
            raise Refused(str(error)) from error

    def _answer(self) -> List[Row]:
        rows: List[Row] = []
        refused: Optional[str] = None
        while True:
            kind, body = self._message()
            if kind == b"D":
                rows.append(_row(body))
            elif kind == b"E":
                refused = _fields(body).get("M", "refused")
                if b"SFATAL" in body or b"VFATAL" in body:
                    raise Refused(refused)
            elif kind == b"R" and body != b"\0\0\0\0":
                raise Refused("the server asks for a password")
            elif kind == b"Z":
                if refused is not None:
                    raise Refused(refused)
                return rows

    def _message(self) -> Tuple[bytes, bytes]:
        head = self._bytes(5)
        return head[:1], self._bytes(struct.unpack("!I", head[1:])[0] - 4)

    def _bytes(self, count: int) -> bytes:
        while len(self._pending) < count:
            try:
                more = self._socket.recv(1 << 16)
            except OSError as error:
                raise Refused(str(error)) from error
            if not more:
                raise Refused("the server has closed the connection")
            self._pending += more
        taken, self._pending = self._pending[:count], self._pending[count:]
        return taken


def _text(word: str) -> bytes:
    return word.encode("utf-8", "replace") + b"\0"


def _row(body: bytes) -> Row:
    values: List[Optional[str]] = []
    at = 2
    for _ in range(struct.unpack_from("!H", body)[0]):
        length = struct.unpack_from("!i", body, at)[0]
        at += 4
        if length < 0:
            values.append(None)
            continue
        values.append(body[at : at + length].decode("utf-8", "replace"))
        at += length
    return tuple(values)


def _fields(body: bytes) -> Dict[str, str]:
    words = body.split(b"\0")
    return {word[:1].decode("ascii", "replace"): word[1:].decode("utf-8", "replace") for word in words if word}


def name(identifier: str) -> str:
    """An identifier as it stands in a statement."""
    return '"' + identifier.replace('"', '""') + '"'


def value(literal: Optional[str]) -> str:
    """A value as it stands in a statement."""
    if literal is None:
        return "NULL"
    return "E'" + literal.replace("\\", "\\\\").replace("'", "''") + "'"
