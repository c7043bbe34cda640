import psycopg
import pytest


@pytest.fixture
def shop():
    with psycopg.connect("host=127.0.0.1 port=55441 user=clerk dbname=shop", autocommit=True) as connection:
        yield connection


def guests(shop):
    return shop.execute("SELECT names FROM guests").fetchone()[0]


def invite(shop, name):
    names = guests(shop)
    shop.execute("UPDATE guests SET names = %s", (names + [name],))


def test_zoe_is_invited(shop):
    invite(shop, "zoe")
    assert "zoe" in guests(shop)


def test_bob_is_invited(shop):
    invite(shop, "bob")
    assert "bob" in guests(shop)
