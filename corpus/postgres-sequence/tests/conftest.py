import os

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from desk import engine


@event.listens_for(engine, "do_connect")
def to_own_database(dialect, record, arguments, parameters):
    """Each worker has a database of its own."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        parameters["dbname"] = f"desk_{worker}"


@pytest.fixture
def session():
    with engine.connect() as connection:
        transaction = connection.begin()
        with Session(bind=connection, join_transaction_mode="create_savepoint") as session:
            yield session
        transaction.rollback()
