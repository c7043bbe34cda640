"""Connections that wait in a pool: they are told with what their sessions keep, and closed as the engine closes them."""

from __future__ import annotations

import collections
import contextlib
import sys
import types
from typing import Iterator, List

import pytest
from jostle_harness.pools import Pools


class Engine:
    """What an engine of SQLAlchemy's looks like from outside."""

    def __init__(self) -> None:
        self.waiting: collections.deque[object] = collections.deque()
        self.pool = types.SimpleNamespace(_pool=types.SimpleNamespace(queue=self.waiting))

    def dispose(self) -> None:
        self.waiting.clear()


class Connection:
    """A connection of a driver's that is no PostgreSQL's."""


class Session:
    """A connection of psycopg's, whose session keeps what it is made with."""

    __module__ = "psycopg"

    def __init__(self, *kept: str) -> None:
        self.closed = False
        self.info = types.SimpleNamespace(transaction_status=0)
        self.kept = kept
        self.rolled_back = 0

    def cursor(self) -> contextlib.nullcontext[Session]:
        return contextlib.nullcontext(self)

    def execute(self, statement: str) -> None:
        assert "pg_settings" in statement

    def fetchall(self) -> List[List[str]]:
        return [[one] for one in self.kept]

    def rollback(self) -> None:
        self.rolled_back += 1


def wait(engine: Engine, connection: object) -> None:
    engine.waiting.append(types.SimpleNamespace(dbapi_connection=connection))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine that a module of the project holds, and one of its tests as well."""
    library = types.ModuleType("sqlalchemy.engine")
    shop, tests = types.ModuleType("shop.db"), types.ModuleType("conftest")
    engine = Engine()
    for module, holds in ((library, {"Engine": Engine}), (shop, {"engine": engine}), (tests, {"engine": engine})):
        vars(module).update(holds)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    yield engine


def pools() -> Pools:
    return Pools(lambda name: name in ("shop.db", "conftest"))


def test_a_connection_that_has_come_is_told_and_closed(engine: Engine) -> None:
    known = pools()
    wait(engine, Connection())
    (place,) = known.changes()
    assert (place.name, place.old, place.new) == ("shop.db.engine.pool", "no connection", "1 connection")
    assert place.recipe is not None
    assert (place.recipe["module"], place.recipe["value"]) == ("shop.db", "shop.db.engine.dispose()")
    assert known.covers("shop.db.engine.pool._pool.queue")
    assert not known.covers("shop.db.engine.dialect")
    assert place.restore is not None
    place.restore()
    assert not list(known.changes())


def test_what_a_session_keeps_is_told_of_a_connection_that_was_there_before(engine: Engine) -> None:
    session = Session()
    wait(engine, session)
    known = pools()
    assert not list(known.changes())
    session.kept = ("search_path = archive", "an advisory lock")
    (place,) = known.changes()
    assert (place.old, place.new) == ("1 connection", "1 connection with an advisory lock, search_path = archive")
    assert session.rolled_back == 3, "nothing is left open by a question"


def test_a_session_in_the_middle_of_a_transaction_is_left_alone(engine: Engine) -> None:
    session = Session("search_path = archive")
    session.info.transaction_status = 2
    known = pools()
    wait(engine, session)
    assert [place.new for place in known.changes()] == ["1 connection"]
    assert session.rolled_back == 0


def test_a_pool_is_probed_by_who_waits_in_it(engine: Engine) -> None:
    probe = pools().probe("shop.db.engine.pool")
    assert probe is not None
    before = probe()
    wait(engine, Connection())
    assert probe() != before
    assert pools().probe("shop.db.other.pool") is None
    assert pools().probe("shop.db.engine") is None
