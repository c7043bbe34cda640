"""Who is logged in, in Redis."""

import os

import redis

#: Each worker has a database of its own.
client = redis.Redis(db=int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")))


def key(name):
    """The key of someone's session."""
    return f"session:{name}"


def login(name):
    """Someone is logged in."""
    client.set(key(name), "1")


def logout(name):
    """Someone is not logged in any more."""
    client.delete(key(name))


def who():
    """All that are logged in, sorted."""
    return sorted(found.decode().removeprefix("session:") for found in client.scan_iter(key("*")))
