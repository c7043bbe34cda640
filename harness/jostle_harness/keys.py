"""What a Redis server of the trial's own keeps, key by key."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

from . import clients, limits, messages, sockets
from .places import MISSING, Place, show

#: Of each key its dump, by the number of its database and its name.
_Dumps = Dict[Tuple[int, bytes], bytes]
_MOST_DATABASES = 16


class Keys:
    """The keys when this was made."""

    def __init__(self, server: messages.Server, is_own: clients.IsOwn) -> None:
        self._port = server["port"]
        self._is_own = is_own
        #: Whether there was something that could not be looked at.
        self.is_cut_off = False
        #: Whether the keys could not be read at some time: what is not seen then is not therefore gone.
        self._is_unread = False
        self._before = self._read()

    def note_new(self) -> None:
        """Note what has come since, such as the keys that a fixture has just made."""
        self._before = {**self._read(), **self._before}

    def changes(self) -> Iterator[Place]:
        """What differs by now."""
        now = self._read()
        if self._is_unread:
            return
        for database, key in sorted({*self._before, *now}):
            old, new = self._before.get((database, key)), now.get((database, key))
            if old != new:
                of = "" if database == 0 else f" of database {database}"
                told = f"key {key.decode('utf-8', 'backslashreplace')}{of}"
                client = clients.redis(self._is_own, self._port, database)
                recipe = None if client is None else clients.kept_key(client, told, key, old is not None)
                restore = self._restorer(database, key, old)
                yield Place(told, "database", _there(old), _there(new), restore, recipe=recipe)

    def probe(self, place: str) -> Optional[Callable[[], object]]:
        """What gives something that differs whenever the key of a place's name holds something else."""
        if not place.startswith("key "):
            return None
        name, _, number = place[4:].partition(" of database ")
        database, key = int(number) if number.isdigit() else 0, name.encode()

        def look() -> object:
            with contextlib.suppress(OSError, ValueError), contextlib.closing(_Session(self._port)) as session:
                session.ask("SELECT", str(database))
                return session.ask("DUMP", key)
            return None

        return look

    def _read(self) -> _Dumps:
        found: _Dumps = {}
        try:
            with contextlib.closing(_Session(self._port)) as session:
                for database in range(_MOST_DATABASES):
                    if not isinstance(session.ask("SELECT", str(database)), bytes):
                        if database == 0:
                            raise ValueError("the server refuses its first database")
                        break
                    keys = session.ask("KEYS", "*") or []  # none while it still loads what it keeps
                    self.is_cut_off |= len(keys) > limits.ROWS
                    for key in sorted(keys)[: limits.ROWS]:
                        found[database, key] = session.ask("DUMP", key)
        except (OSError, ValueError):
            self.is_cut_off = self._is_unread = True
        return found

    def _restorer(self, database: int, key: bytes, old: Optional[bytes]) -> Callable[[], None]:
        def restore() -> None:
            with contextlib.closing(_Session(self._port)) as session:
                session.ask("SELECT", str(database))
                if old is None:
                    session.ask("DEL", key)
                else:
                    session.ask("RESTORE", key, "0", old, "REPLACE")

        return restore


class _Session:
    """A session in the simple part of Redis's language, RESP."""

    def __init__(self, port: int) -> None:
        self._socket = sockets.connected(port, limits.SERVER_SECONDS)
        self._file = self._socket.makefile("rb")

    def close(self) -> None:
        """End it, and wait until the server has, which allows so many."""
        with contextlib.suppress(OSError, ValueError):
            self.ask("QUIT")
            self._file.read()
        self._file.close()
        self._socket.close()

    def ask(self, *words: Any) -> Any:
        encoded = [word if isinstance(word, bytes) else word.encode() for word in words]
        parts = [b"*%d\r\n" % len(encoded), *(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)]
        self._socket.sendall(b"".join(parts))
        return self._answer()

    def _answer(self) -> Any:
        line = self._file.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self._answer() for _ in range(int(rest))]
        if kind == b"-":
            return None  # what is refused is not there
        raise ValueError("the server has closed the connection")


def _there(dump: Optional[bytes]) -> str:
    return show(MISSING) if dump is None else f"{len(dump)} bytes"
