import psycopg
import pytest


@pytest.fixture
def office():
    with psycopg.connect("postgresql://postgres@127.0.0.1/office", autocommit=True) as connection:
        connection.execute("CREATE TABLE report (line text)")
        yield connection
        connection.execute("DROP TABLE report")
