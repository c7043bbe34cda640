import psycopg


def take(names):
    with psycopg.connect("host=127.0.0.1 port=55441 user=clerk dbname=shop") as shop:
        for name in names:
            shop.execute("UPDATE stock SET pieces = pieces - 1 WHERE name = %s", (name,))


def test_pens_and_ink():
    take(["pen", "ink"])


def test_ink_and_pens():
    take(["ink", "pen"])
