"""Articles, in PostgreSQL."""

from sqlalchemy import create_engine, text

engine = create_engine("postgresql+psycopg://postgres@127.0.0.1/press", pool_size=1)


def look_in(connection, schema):
    """Tables are those of a schema from here on."""
    connection.execute(text(f"SET search_path TO {schema}"))
    connection.commit()


def stay_in(connection, zone):
    """Times are those of a time zone from here on."""
    connection.execute(text(f"SET TIME ZONE '{zone}'"))
    connection.commit()


def count(connection):
    """How many articles there are."""
    return connection.scalar(text("SELECT count(*) FROM articles"))


def noon(connection):
    """Noon of the first of May in UTC, as it is shown."""
    return connection.scalar(text("SELECT to_char(timestamptz '2024-05-01 12:00+00', 'HH24:MI')"))
