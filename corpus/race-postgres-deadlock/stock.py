"""What a shop has in stock, in PostgreSQL."""

import psycopg

URL = "postgresql://postgres@127.0.0.1/shop"


def take(names):
    """One piece of each is sold, or none."""
    with psycopg.connect(URL) as shop:
        for name in names:
            shop.execute("UPDATE stock SET pieces = pieces - 1 WHERE name = %s", (name,))


if __name__ == "__main__":
    with psycopg.connect(URL) as shop:
        shop.execute("CREATE TABLE stock (name text PRIMARY KEY, pieces int)")
        shop.execute("INSERT INTO stock VALUES ('pen', 1000), ('ink', 1000)")
