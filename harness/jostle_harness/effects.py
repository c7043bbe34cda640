"""What calls through SQLite's connections and open files do, where that shows only before or while they are made.

A rollback with nothing to roll back, and a close with nothing left to write, are nobody else's business; a SELECT only
reads. The statements of a connection are known if it was born while we looked; then nobody has put a trace of its own on it.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Set, Tuple

_open, _read, _close = os.open, os.read, os.close
_VERB = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*([A-Za-z]+)", re.DOTALL)
_CHANGING = re.compile(r"\b(insert|update|delete|replace)\b", re.IGNORECASE)
_TAKING = re.compile(r"\b(immediate|exclusive)\b", re.IGNORECASE)
_READING = frozenset(("SELECT", "VALUES", "EXPLAIN"))
#: Statements that only begin something, and those that end it.
_BEGINNING, _ENDING = frozenset(("BEGIN", "SAVEPOINT")), frozenset(("COMMIT", "END", "ROLLBACK", "RELEASE"))


class Effect(NamedTuple):
    """What a call does."""

    writes: bool
    #: Whether it neither changes what is outside nor reads it.
    idle: bool
    #: The verb of the SQL statement.
    statement: Optional[str] = None


class Effects:
    """Finds out what calls do, and tells it of those that a turn was asked for."""

    def __init__(self, tell: Callable[[Effect], None]) -> None:
        self._tell = tell
        #: The C function that is being called, and what is to be done once it has succeeded, or has not.
        self.made: Optional[Tuple[Any, Callable[[bool], None]]] = None
        self._statements = _Statements()

    def born(self, connection: Any) -> None:
        """A connection was made while we look."""
        self._statements.born(connection)

    def traced_by_another(self, connection: Any) -> None:
        """The suite puts a trace of its own on a connection."""
        self._statements.forget(connection)

    def of_stream(self, function: Any) -> None:
        """An open file is about to be closed or flushed, and a turn was asked for that."""
        before = written()

        def flushed(_: bool) -> None:
            if before is not None and written() == before:
                self._tell(Effect(writes=False, idle=True))

        self.made = (function, flushed)

    def of_database(self, function: Any, connection: Any, name: str, asked: bool) -> None:
        """A connection's method is about to be called."""
        with contextlib.suppress(Exception):  # a connection that is closed: the call itself will tell
            if name in ("commit", "rollback"):
                effect = self._statements.ends(connection)
                if asked and effect.idle:
                    self._tell(effect)
                self.made = (function, lambda succeeded: self._statements.ended(connection, succeeded))
            elif self._statements.starts(connection):
                self.made = (function, lambda _: self._ran(connection, asked))

    def over(self, function: Any, succeeded: bool) -> None:
        """A C function was called."""
        if self.made is not None and self.made[0] is function:
            then, self.made = self.made[1], None
            with contextlib.suppress(Exception):  # a connection that is closed by now: nothing is known of the call
                then(succeeded)

    def _ran(self, connection: Any, asked: bool) -> None:
        effect = self._statements.ran(connection)
        if asked and effect is not None:
            self._tell(effect)


class _Statements:
    """The statements of SQLite's connections."""

    def __init__(self) -> None:
        #: By the ``id`` of each connection whose statements are known: whether it has something to commit.
        self._pending: Dict[int, bool] = {}
        self._of_others: Set[int] = set()
        self._traced: List[str] = []

    def born(self, connection: Any) -> None:
        if id(connection) not in self._of_others:
            self._pending[id(connection)] = False

    def forget(self, connection: Any) -> None:
        self._of_others.add(id(connection))
        self._pending.pop(id(connection), None)

    def ends(self, connection: Any) -> Effect:
        """What a commit or a rollback does."""
        idle = not connection.in_transaction or not self._pending.get(id(connection), True)
        return Effect(writes=not idle, idle=idle)

    def ended(self, connection: Any, succeeded: bool) -> None:
        """A commit or a rollback was made."""
        if succeeded and id(connection) in self._pending:
            self._pending[id(connection)] = False

    def starts(self, connection: Any) -> bool:
        """Statements are about to run; tells whether they will be known."""
        if id(connection) not in self._pending:
            return False
        self._traced = []
        connection.set_trace_callback(self._traced.append)
        return True

    def ran(self, connection: Any) -> Optional[Effect]:
        """What the statements did that ran since; nothing if none began to."""
        connection.set_trace_callback(None)
        # Triggers show as comments.
        effects = [self._effect(connection, sql) for sql in self._traced if not sql.startswith("--")]
        self._pending[id(connection)] &= connection.in_transaction
        if not effects:
            return None
        idle = all(effect.idle for effect in effects)
        return Effect(any(effect.writes for effect in effects), idle, effects[-1].statement)

    def _effect(self, connection: Any, sql: str) -> Effect:
        found = _VERB.match(sql)
        verb = found.group(1).upper() if found else "?"
        if verb in _ENDING:
            idle = not self._pending[id(connection)]
            return Effect(not idle, idle, verb)
        if verb in _BEGINNING:
            takes = _TAKING.search(sql)
            self._pending[id(connection)] |= takes is not None
            return Effect(takes is not None, takes is None, f"{verb} {takes.group(1).upper()}" if takes else verb)
        reads = verb in _READING or verb == "PRAGMA" and "=" not in sql or verb == "WITH" and not _CHANGING.search(sql)
        if not reads:
            self._pending[id(connection)] = True
        return Effect(not reads, False, verb)


def written() -> Optional[int]:
    """How many bytes this thread has written to files and pipes; nothing where the system does not tell."""
    try:
        descriptor = _open("/proc/thread-self/io", os.O_RDONLY)
        try:
            fields = dict(line.split(b": ") for line in _read(descriptor, 400).splitlines())
        finally:
            _close(descriptor)
        return int(fields[b"wchar"])
    except (OSError, ValueError, KeyError):
        return None
