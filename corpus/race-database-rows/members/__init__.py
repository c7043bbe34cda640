import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

PATH = Path(tempfile.gettempdir()) / "members.db"


def connect():
    connection = sqlite3.connect(str(PATH))
    connection.execute("create table if not exists members (name text)")
    return closing(connection)


def join(name):
    with connect() as connection, connection:
        connection.execute("insert into members values (?)", (name,))


def leave(name):
    with connect() as connection, connection:
        connection.execute("delete from members where name = ?", (name,))


def count():
    with connect() as connection:
        return connection.execute("select count(*) from members").fetchone()[0]
