import psycopg
import pytest

SERVER = "postgresql://postgres@127.0.0.1/"


@pytest.fixture(scope="session")
def tenant():
    with psycopg.connect(SERVER + "tenants", autocommit=True) as server:
        server.execute("CREATE DATABASE tenant")
        with psycopg.connect(SERVER + "tenant", autocommit=True) as connection:
            yield connection
        server.execute("DROP DATABASE tenant")
