import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

ARCHIVE = Path(tempfile.gettempdir()) / "archive.db"


def open_day():
    day = sqlite3.connect(":memory:")
    day.execute("create table orders (name text)")
    day.execute("attach ? as archive", (str(ARCHIVE),))
    day.execute("create table if not exists archive.orders (name text)")
    return closing(day)


def sell(day, name):
    day.execute("insert into main.orders values (?)", (name,))


def close_day(day):
    with day:
        day.execute("insert into archive.orders select name from main.orders")
        day.execute("delete from main.orders")


def archived(day):
    return day.execute("select count(*) from archive.orders").fetchone()[0]
