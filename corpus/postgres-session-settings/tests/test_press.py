import pytest

import press


@pytest.fixture
def connection():
    with press.engine.connect() as connection:
        yield connection


def test_the_archive_is_looked_at(connection):
    press.look_in(connection, "archive")
    assert connection.exec_driver_sql("SHOW search_path").scalar() == "archive"


def test_there_are_no_articles(connection):
    assert press.count(connection) == 0


def test_noon_in_tokyo(connection):
    press.stay_in(connection, "Asia/Tokyo")
    assert press.noon(connection) == "21:00"


def test_noon(connection):
    assert press.noon(connection) == "12:00"
