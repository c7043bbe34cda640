import os

import psycopg
import pytest

SERVER = "host=127.0.0.1 user=postgres"


@pytest.fixture(scope="session")
def database():
    """A database of the worker's own, made like the shop's."""
    name = f"shop_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    with psycopg.connect(f"{SERVER} dbname=postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE shop")
        yield name
        server.execute(f"DROP DATABASE {name}")


@pytest.fixture
def connection(database):
    """Whatever a test commits is gone after it."""
    with psycopg.connect(f"{SERVER} dbname={database}") as connection:
        yield connection
        connection.rollback()
        connection.execute("TRUNCATE orders RESTART IDENTITY")
