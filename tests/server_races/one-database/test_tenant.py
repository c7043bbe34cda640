import psycopg
import pytest

SERVER = "host=127.0.0.1 port=55441 user=clerk "


@pytest.fixture
def tenant():
    with psycopg.connect(SERVER + "dbname=shop", autocommit=True) as server:
        server.execute("CREATE DATABASE tenant")
        with psycopg.connect(SERVER + "dbname=tenant", autocommit=True) as connection:
            yield connection
        server.execute("DROP DATABASE tenant")


def test_name(tenant):
    assert tenant.execute("SELECT current_database()").fetchone() == ("tenant",)


def test_empty(tenant):
    assert tenant.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
