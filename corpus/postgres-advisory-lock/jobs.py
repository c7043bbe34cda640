"""Jobs of which each runs once at a time, by advisory locks of PostgreSQL."""

from sqlalchemy import create_engine, text

engine = create_engine("postgresql+psycopg://postgres@127.0.0.1/jobs", pool_size=2)


def start(connection, job):
    """Whether the job was free, which it is not from here on."""
    return connection.scalar(text("SELECT pg_try_advisory_lock(hashtext(:job))"), {"job": job})


def stop(connection, job):
    """The job is free again."""
    connection.execute(text("SELECT pg_advisory_unlock(hashtext(:job))"), {"job": job})
