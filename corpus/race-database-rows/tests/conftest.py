import members
import pytest


@pytest.fixture
def ada():
    members.join("Ada")
    yield "Ada"
    members.leave("Ada")


@pytest.fixture
def bob():
    members.join("Bob")
    yield "Bob"
    members.leave("Bob")
