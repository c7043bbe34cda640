"""Connections that pools of SQLAlchemy's keep open: whatever a session has set in the server, and the locks that it has taken there,
stays with them from test to test.
"""

from __future__ import annotations

import sys
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from . import clients
from .places import Place

_POOL = ".pool"
#: What a session of PostgreSQL's has set for itself and keeps: settings first, then locks.
_SESSION = """SELECT name || ' = ' || setting FROM pg_settings WHERE source = 'session'
 UNION ALL SELECT 'an advisory lock' FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() LIMIT 3"""
_DRIVERS = ("psycopg", "psycopg2")

#: Of each idle connection what tells it from others, and what its session keeps.
_Idle = Tuple[Tuple[int, Tuple[str, ...]], ...]


class Pools:
    """What was idle in the pools of the project's engines when this was made."""

    def __init__(self, is_own: clients.IsOwn) -> None:
        self._is_own = is_own
        self._noted: Dict[str, _Idle] = {
            client.shown: _idle(_waiting(engine)) for client, engine in clients.engines(is_own)
        }
        self._told: List[str] = []

    def changes(self) -> Iterator[Place]:
        """The pools that hold others by now, or of whose connections a session keeps something else."""
        for client, engine in clients.engines(self._is_own):
            old, new = self._noted.get(client.shown, ()), _idle(_waiting(engine))
            if old != new:
                self._told.append(client.shown)
                recipe = None if client.is_for_tests else clients.disposed(client)
                yield Place(client.shown + _POOL, "database", _shown(old), _shown(new), engine.dispose, recipe=recipe)

    def covers(self, name: str) -> bool:
        """Whether a place is a part of a pool that :meth:`changes` has told of."""
        return any(name.startswith(f"{engine}{_POOL}._") for engine in self._told)

    def probe(self, name: str) -> Optional[Callable[[], object]]:
        """What gives something that differs whenever others are idle in the pool of a place's name."""
        if not name.endswith(_POOL):
            return None
        wanted = name[: -len(_POOL)]
        for client, _ in clients.engines(self._is_own):
            if client.shown == wanted:
                held, attribute = sys.modules[client.module], wanted.rpartition(".")[2]
                return lambda: [id(one) for one in _waiting(getattr(held, attribute, None))]
        return None


def _waiting(engine: Any) -> List[Any]:
    """The driver's connections that wait in an engine's pool."""
    queue = getattr(getattr(getattr(engine, "pool", None), "_pool", None), "queue", ())
    connections = (getattr(record, "dbapi_connection", None) for record in list(queue))
    return [connection for connection in connections if connection is not None]


def _idle(connections: List[Any]) -> _Idle:
    return tuple((id(connection), _kept(connection)) for connection in connections)


def _kept(connection: Any) -> Tuple[str, ...]:
    """What the session of a connection keeps, as far as it is known how to ask for that."""
    if type(connection).__module__.partition(".")[0] not in _DRIVERS:
        return ()
    try:
        if connection.closed or connection.info.transaction_status != 0:
            return ()
        with connection.cursor() as cursor:
            cursor.execute(_SESSION)
            kept = tuple(str(row[0]) for row in cursor.fetchall())
        connection.rollback()
    except Exception:  # no session of PostgreSQL's, or none that answers
        return ()
    return kept


def _shown(idle: _Idle) -> str:
    if not idle:
        return "no connection"
    many = "1 connection" if len(idle) == 1 else f"{len(idle)} connections"
    kept = sorted({one for _, all_of_it in idle for one in all_of_it})
    return f"{many} with {', '.join(kept)}" if kept else many
