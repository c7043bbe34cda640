import pytest
from sqlalchemy.orm import Session

import shop


@pytest.fixture(scope="session", autouse=True)
def schema():
    shop.create_schema()


@pytest.fixture
def session():
    with shop.engine.connect() as connection:
        transaction = connection.begin()
        with Session(bind=connection, join_transaction_mode="create_savepoint") as session:
            yield session
        transaction.rollback()
