import sqlite3
import tempfile
import time
from pathlib import Path

PATH = Path(tempfile.gettempdir()) / "stock.db"


def connect():
    connection = sqlite3.connect(str(PATH), timeout=0.02, isolation_level=None)
    connection.execute("create table if not exists items (name text, number integer)")
    return connection


def book(name, number):
    connection = connect()
    connection.execute("begin immediate")
    connection.execute("insert into items values (?, ?)", (name, number))
    time.sleep(0.2)
    connection.execute("commit")
    found = connection.execute("select number from items where name = ?", (name,)).fetchone()
    connection.close()
    return found[0]
