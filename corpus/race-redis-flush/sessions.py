"""Who is logged in, and how many came by, in Redis."""

import redis

client = redis.Redis(decode_responses=True)


def login(number, name):
    client.set(f"session:{number}", name)


def who(number):
    return client.get(f"session:{number}")


def visit():
    return client.incr("visits")
