import os

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from crm.models import Base, Customer, add, in_city


@pytest.fixture(scope="module")
def engine():
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    path = f"test-{worker}.db" if worker else "test.db"
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()
    os.remove(path)


@pytest.fixture
def session(engine):
    with Session(engine) as session:
        yield session


@pytest.fixture
def ann(session):
    customer = add(session, "ann", city="Basel")
    yield customer
    session.delete(customer)
    session.commit()


def test_nobody_lives_in_bern(session):
    assert in_city(session, "Bern") == []


def test_ann_lives_in_basel(session, ann):
    assert in_city(session, "Basel") == ["ann"]


def test_import_is_idempotent(session):
    for name in ["bob", "cy"]:
        if session.query(Customer).filter_by(name=name).first() is None:
            add(session, name)
    assert session.query(Customer).filter_by(name="bob").count() == 1


def test_city_is_stored(session, ann):
    assert session.get(Customer, ann.id).city == "Basel"
