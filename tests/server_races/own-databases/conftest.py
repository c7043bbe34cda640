import os

import psycopg
import pytest

SERVER = "host=127.0.0.1 port=55441 user=clerk "


@pytest.fixture(scope="session")
def shop():
    name = "shop_" + os.environ.get("PYTEST_XDIST_WORKER", "master")
    with psycopg.connect(SERVER + "dbname=shop", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        with psycopg.connect(SERVER + f"dbname={name}", autocommit=True) as connection:
            connection.execute("CREATE TABLE stock (pieces int)")
            yield connection
        server.execute(f"DROP DATABASE {name}")
