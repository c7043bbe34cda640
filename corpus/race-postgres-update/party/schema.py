"""Makes the table."""

from party import connect

if __name__ == "__main__":
    with connect() as party:
        party.execute("CREATE TABLE guests (names text[])")
        party.execute("INSERT INTO guests VALUES (ARRAY[]::text[])")
