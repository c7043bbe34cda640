"""The lines of fixtures that put back what is in a server: they are Python's, and say in SQL what is meant."""

from __future__ import annotations

import contextlib
import sys
import types
from typing import List

import pytest
from jostle_harness import clients, messages
from jostle_harness.clients import Client

SHOP = Client("shop", "shop.engine")


class Session:
    """What a session of SQLAlchemy's is made with."""

    def __init__(self, bind: object = None, join_transaction_mode: str = "") -> None:
        pass


def rolled_back() -> Session:
    return Session(join_transaction_mode="create_savepoint")


def commits() -> Session:
    return Session()


def run(recipe: messages.RestoreRecipe) -> List[str]:
    """What a fixture's lines tell a server, whose answer is always ``(7, True)``."""
    told: List[str] = []

    class Connection:
        def exec_driver_sql(self, statement: str) -> Connection:
            told.append(statement)
            return self

        def one(self) -> object:
            return (7, True)

    def session() -> contextlib.nullcontext[Connection]:
        return contextlib.nullcontext(Connection())

    engine = types.SimpleNamespace(begin=session, connect=session)
    exec(recipe["attribute"] + "\n" + recipe["value"], {"shop": types.SimpleNamespace(engine=engine)})
    return told


def test_a_row_is_deleted_by_what_tells_it_from_others() -> None:
    which = clients.telling({"name": 'O\'Hara "x"', "Order": None})
    recipe = clients.undone(SHOP, "table users", [f"DELETE FROM {clients.identifier('public', 'user')} WHERE {which}"])
    assert recipe is not None
    assert run(recipe) == ['DELETE FROM "user" WHERE name = \'O\'\'Hara "x"\' AND "Order" IS NULL']
    assert clients.identifier("crm", "customers") == "crm.customers"


@pytest.mark.parametrize("statements", [[], ["a % b"], ["a\nb"], ["a\\b"], ["DELETE"] * 7])
def test_what_nobody_would_write_or_a_driver_would_change_is_not_proposed(statements: List[str]) -> None:
    assert clients.undone(SHOP, "table x", statements) is None


def test_a_sequence_is_turned_back_to_where_it_was_found() -> None:
    recipe = clients.kept_sequence(SHOP, "sequence a", "customers_id_seq")
    assert recipe is not None
    asked, turned = run(recipe)
    assert asked == "SELECT last_value, is_called FROM customers_id_seq"
    assert turned == "SELECT setval('customers_id_seq', 7, True)"
    assert clients.kept_sequence(SHOP, "sequence a", "Customers Seq") is None


@pytest.mark.parametrize(("was_there", "told"), [(False, ["delete"]), (True, ["dump", "restore"])])
def test_a_key_is_left_as_it_was_found(was_there: bool, told: List[str]) -> None:
    recipe = clients.kept_key(Client("shop", "shop.client"), 'key "a"', b'"a"', was_there)
    assert recipe is not None
    calls: List[str] = []

    class Redis:
        def __getattr__(self, name: str) -> object:
            return lambda key, *_, **__: calls.append(name + key) or b"dump"  # type: ignore[func-returns-value]

    exec(recipe["attribute"] + "\n" + recipe["value"], {"shop": types.SimpleNamespace(client=Redis())})
    assert calls == [name + '"a"' for name in told]
    assert clients.kept_key(SHOP, "key", b"\xff", was_there) is None


def test_a_fixture_whose_sessions_are_rolled_back_is_none_to_take_the_place_of(monkeypatch: pytest.MonkeyPatch) -> None:
    library = types.ModuleType("sqlalchemy.orm")
    vars(library).update(Session=Session, sessionmaker=type("sessionmaker", (), {}))
    monkeypatch.setitem(sys.modules, "sqlalchemy", types.SimpleNamespace(__version__="2.0.58"))
    monkeypatch.setitem(sys.modules, "sqlalchemy.orm", library)
    found = clients.sessions(lambda _: True, [("rolled_back", rolled_back), ("session", commits)], SHOP)
    assert [one["name"] for one in found] == ["session"]
    assert (found[0]["made_by"], found[0]["engine"]) == ("sqlalchemy.orm.Session", "shop.engine")


def test_no_client_is_known_where_the_suite_has_no_such_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("sqlalchemy", "sqlalchemy.engine", "sqlalchemy.orm", "redis"):
        monkeypatch.delitem(sys.modules, library, raising=False)
    assert clients.engine(lambda _: True, 5432, "shop") is None
    assert clients.redis(lambda _: True, 6379, 0) is None
    assert clients.sessions(lambda _: True, [], SHOP) == []
