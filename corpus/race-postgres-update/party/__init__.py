"""Who comes to the party, in PostgreSQL."""

import psycopg

URL = "postgresql://postgres@127.0.0.1/party"


def connect():
    return psycopg.connect(URL, autocommit=True)


def guests(party):
    """All that are invited."""
    return party.execute("SELECT names FROM guests").fetchone()[0]


def invite(party, name):
    """Somebody is invited."""
    names = guests(party)
    party.execute("UPDATE guests SET names = %s", (names + [name],))
