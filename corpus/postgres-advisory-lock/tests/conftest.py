import os

from sqlalchemy import event

from jobs import engine


@event.listens_for(engine, "do_connect")
def to_own_database(dialect, record, arguments, parameters):
    """Each worker has a database of its own."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        parameters["dbname"] = f"jobs_{worker}"
