"""Carts of a shop, in Redis."""

import redis

client = redis.Redis()
prefix = "cart:"


def add(name, article):
    """An article more is in someone's cart."""
    client.rpush(prefix + name, article)


def articles(name):
    """What is in someone's cart."""
    return [article.decode() for article in client.lrange(prefix + name, 0, -1)]


def names():
    """All who have a cart, sorted."""
    return sorted(key.decode().removeprefix(prefix) for key in client.scan_iter(prefix + "*"))
