"""What SQL statements and closed files do, told of the calls of real connections and files as they are made."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import pytest
from jostle_harness.effects import Effect, Effects, written


class Stage:
    """A database, and what is told of the calls on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: List[Effect] = []
        self.effects = Effects(self.told.append)

    def connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path)
        self.effects.born(connection)
        return connection

    def call(self, connection: Any, name: str, *arguments: Any, asked: bool = True) -> List[Effect]:
        """Calls a method as the profiler hears of it; what is told of it."""
        self.told.clear()
        function = getattr(connection, name)
        self.effects.of_database(function, connection, name, asked)
        try:
            function(*arguments)
        except sqlite3.Error:
            self.effects.over(function, False)
        else:
            self.effects.over(function, True)
        return list(self.told)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE item (name TEXT, price INT)")
    connection.execute("CREATE TABLE log (what TEXT)")
    connection.execute("INSERT INTO item VALUES ('a', 1)")
    connection.commit()
    connection.close()
    yield Stage(path)


#: A statement, whether it writes, whether it does nothing outside, and the verb that is told.
STATEMENTS: List[Tuple[str, bool, bool, str]] = [
    ("SELECT * FROM item", False, False, "SELECT"),
    ("select 1 -- update", False, False, "SELECT"),
    ("  -- a comment\n /* and\n another */ SELECT 1", False, False, "SELECT"),
    ("VALUES (1)", False, False, "VALUES"),
    ("INSERT INTO item VALUES ('b', 2)", True, False, "INSERT"),
    ("REPLACE INTO item VALUES ('b', 2)", True, False, "REPLACE"),
    ("UPDATE item SET price = 2", True, False, "UPDATE"),
    ("DELETE FROM item", True, False, "DELETE"),
    ("CREATE TABLE other (x)", True, False, "CREATE"),
    ("DROP TABLE log", True, False, "DROP"),
    ("WITH one AS (SELECT 1) SELECT * FROM one", False, False, "WITH"),
    ("WITH one AS (SELECT 1) INSERT INTO log SELECT * FROM one", True, False, "WITH"),
    ("PRAGMA user_version", False, False, "PRAGMA"),
    ("PRAGMA user_version = 3", True, False, "PRAGMA"),
    ("BEGIN", False, True, "BEGIN"),
    ("begin deferred", False, True, "BEGIN"),
    ("BEGIN IMMEDIATE", True, False, "BEGIN IMMEDIATE"),
    ("BEGIN exclusive TRANSACTION", True, False, "BEGIN EXCLUSIVE"),
    ("SAVEPOINT before", False, True, "SAVEPOINT"),
]


@pytest.mark.parametrize("sql, writes, idle, verb", STATEMENTS)
def test_a_statement_reads_writes_or_only_begins(stage: Stage, sql: str, writes: bool, idle: bool, verb: str) -> None:
    connection = stage.connect()
    connection.isolation_level = None
    assert stage.call(connection, "execute", sql) == [Effect(writes, idle, verb)]


#: Statements that run before, the one that ends a transaction, and whether it has something to end.
ENDS: List[Tuple[List[str], str, bool]] = [
    ([], "COMMIT", False),
    (["BEGIN"], "COMMIT", False),
    (["BEGIN", "SELECT * FROM item"], "ROLLBACK", False),
    (["BEGIN", "UPDATE item SET price = 2"], "COMMIT", True),
    (["BEGIN", "UPDATE item SET price = 2"], "ROLLBACK", True),
    (["BEGIN IMMEDIATE"], "END", True),
    (["BEGIN", "DELETE FROM item", "COMMIT", "BEGIN"], "COMMIT", False),
    (["SAVEPOINT one"], "RELEASE one", False),
    (["SAVEPOINT one", "DELETE FROM item"], "RELEASE one", True),
    (["UPDATE item SET price = 2", "BEGIN"], "COMMIT", False),
]


@pytest.mark.parametrize("before, end, does", ENDS)
def test_an_end_does_something_if_there_was_something_to_end(
    stage: Stage, before: List[str], end: str, does: bool
) -> None:
    connection = stage.connect()
    connection.isolation_level = None
    for sql in before:
        stage.call(connection, "execute", sql)
    assert stage.call(connection, "execute", end) == [Effect(does, not does, end.split()[0])]


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_method_that_ends_is_told_only_where_it_has_nothing_to_end(stage: Stage, end: str) -> None:
    connection = stage.connect()
    assert stage.call(connection, end) == [Effect(writes=False, idle=True)], "nothing was begun"
    stage.call(connection, "execute", "SELECT * FROM item")
    assert stage.call(connection, end) == [Effect(writes=False, idle=True)]
    stage.call(connection, "execute", "UPDATE item SET price = 2")
    assert stage.call(connection, end) == [], "it is as it was taken to be"
    assert stage.call(connection, end) == [Effect(writes=False, idle=True)], "it was ended"
    assert stage.call(connection, end, asked=False) == [], "no turn was asked for"


def test_a_transaction_that_python_begins_is_told_with_what_it_is_begun_for(stage: Stage) -> None:
    connection = stage.connect()
    assert stage.call(connection, "execute", "UPDATE item SET price = 3") == [Effect(True, False, "UPDATE")]
    other = sqlite3.connect(stage.path)
    assert other.execute("SELECT price FROM item").fetchall() == [(1,)], "the transaction is open"
    connection.commit()
    assert other.execute("SELECT price FROM item").fetchall() == [(3,)]


def test_many_statements_of_one_call_are_told_together(stage: Stage) -> None:
    connection = stage.connect()
    script = "BEGIN; INSERT INTO log VALUES ('x'); SELECT 1;"
    assert stage.call(connection, "executescript", script) == [Effect(True, False, "SELECT")]
    assert stage.call(connection, "executescript", "SELECT 1; SELECT 2;")[0].writes, "it commits what was begun first"
    assert stage.call(connection, "executescript", "SELECT 1; VALUES (2);") == [Effect(False, False, "VALUES")]


def test_what_a_trigger_does_is_its_statement_s(stage: Stage) -> None:
    connection = stage.connect()
    connection.isolation_level = None
    connection.execute("CREATE TRIGGER t AFTER UPDATE ON item BEGIN INSERT INTO log VALUES ('x'); END")
    assert stage.call(connection, "execute", "UPDATE item SET price = 2") == [Effect(True, False, "UPDATE")]


def test_a_statement_that_is_not_begun_is_told_nothing_of(stage: Stage) -> None:
    connection = stage.connect()
    assert stage.call(connection, "execute", "SELECT * FROM nowhere") == []
    assert stage.call(connection, "execute", "no SQL") == []
    assert stage.call(connection, "execute", "EXPLAIN UPDATE item SET price = 2") == [], "nor is one that is explained"


def test_a_statement_that_fails_leaves_something_to_roll_back(stage: Stage) -> None:
    connection, other = stage.connect(), sqlite3.connect(stage.path)
    other.execute("UPDATE item SET price = 9")
    connection.execute("PRAGMA busy_timeout = 0")
    stage.call(connection, "execute", "UPDATE item SET price = 2")
    assert stage.call(connection, "commit") == [], "it began, and is not taken to do nothing"
    other.rollback()


def test_of_a_connection_that_was_there_before_nothing_is_known(stage: Stage) -> None:
    connection = sqlite3.connect(stage.path)
    assert stage.call(connection, "execute", "SELECT * FROM item") == []
    connection.execute("UPDATE item SET price = 2")
    assert stage.call(connection, "commit") == [], "something may be there to commit"
    assert stage.call(connection, "commit") == [Effect(writes=False, idle=True)], "SQLite itself says so"


def test_a_trace_of_the_suite_s_own_stays(stage: Stage) -> None:
    connection = stage.connect()
    heard: List[str] = []
    connection.set_trace_callback(heard.append)
    stage.effects.traced_by_another(connection)
    assert stage.call(connection, "execute", "SELECT 7") == []
    stage.effects.born(connection)
    assert stage.call(connection, "execute", "SELECT 8") == [], "it is not taken back"
    assert heard == ["SELECT 7", "SELECT 8"]


def test_a_closed_connection_is_nobody_s_business(stage: Stage) -> None:
    connection = stage.connect()
    connection.close()
    assert stage.call(connection, "execute", "SELECT 1") == []
    assert stage.call(connection, "commit") == []


def test_another_function_that_ends_meanwhile_is_not_the_call(stage: Stage) -> None:
    connection = stage.connect()
    execute = connection.execute
    stage.effects.of_database(execute, connection, "execute", True)
    len("called on the way")
    stage.effects.over(len, True)
    assert stage.told == []
    execute("SELECT 1")
    stage.effects.over(execute, True)
    stage.effects.over(execute, True)
    assert stage.told == [Effect(False, False, "SELECT")], "once"


@pytest.mark.skipif(written() is None, reason="the system does not tell what a thread writes")
@pytest.mark.parametrize("text, idle", [("", True), ("left to write", False)])
def test_a_close_with_nothing_left_to_write_is_told_to_do_nothing(stage: Stage, text: str, idle: bool) -> None:
    with open(stage.path.with_name("note"), "w") as note:
        note.write(text)
        close = note.close
        stage.effects.of_stream(close)
        close()
        stage.effects.over(close, True)
    assert stage.told == ([Effect(writes=False, idle=True)] if idle else [])


@pytest.mark.skipif(written() is None, reason="the system does not tell what a thread writes")
def test_what_another_thread_writes_is_not_ours(tmp_path: Path) -> None:
    before = written()
    thread = threading.Thread(target=(tmp_path / "note").write_text, args=("text",))
    thread.start()
    thread.join()
    assert written() == before
    (tmp_path / "note").write_text("text")
    assert written() == (before or 0) + 4
