"""Orders of a shop, in PostgreSQL."""


def order(connection, article, amount):
    """An article is ordered for good."""
    connection.execute("INSERT INTO orders (article, amount) VALUES (%s, %s)", (article, amount))
    connection.commit()


def ordered(connection, article):
    """How many of an article are ordered."""
    return connection.execute(
        "SELECT coalesce(sum(amount), 0) FROM orders WHERE article = %s", (article,)
    ).fetchone()[0]
