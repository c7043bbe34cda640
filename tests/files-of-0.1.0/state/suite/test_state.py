import pathlib
import tempfile

STATE = []
READY = []
NOTE = pathlib.Path(tempfile.gettempdir(), "note")


def test_victim():
    assert not STATE


def test_needs():
    assert READY


def test_polluter():
    STATE.append(1)


def test_ready():
    READY.append(1)


def test_twice():
    assert 2 not in STATE
    STATE.append(2)


def test_writes():
    NOTE.write_text("one")
    assert NOTE.read_text() == "one"


def test_writes_too():
    NOTE.write_text("two")
    assert NOTE.read_text() == "two"
