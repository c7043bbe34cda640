import psycopg
import pytest


@pytest.fixture
def shop():
    with psycopg.connect("host=127.0.0.1 port=55441 user=clerk dbname=shop", autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS report")
        connection.execute("CREATE TABLE report (line text)")
        yield connection


def test_no_line(shop):
    assert shop.execute("SELECT count(*) FROM report").fetchone() == (0,)


def test_one_line(shop):
    shop.execute("INSERT INTO report VALUES ('total')")
    assert shop.execute("SELECT count(*) FROM report").fetchone() == (1,)
