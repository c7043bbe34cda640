import os
import sqlite3
import tempfile

import pytest
from users.resolver import Resolver

PATH = os.path.join(tempfile.gettempdir(), "testuser.sqlite")


@pytest.fixture(scope="session", autouse=True)
def users():
    with sqlite3.connect(PATH) as database:
        database.execute("create table if not exists user (id integer primary key, name text unique)")
        database.executemany("insert or ignore into user (name) values (?)", [("alice",), ("bob",)])
    database.close()


@pytest.fixture
def resolver():
    resolver = Resolver(f"sqlite:///{PATH}")
    yield resolver
    resolver.engine.dispose()
