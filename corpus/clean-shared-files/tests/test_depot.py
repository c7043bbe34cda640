import socket
import time

import depot
import pytest


@pytest.mark.parametrize("turn", range(3))
def test_numbers_go_up(turn):
    first = depot.take_number()
    assert depot.take_number() > first


@pytest.mark.parametrize("state", ["open", "closed"])
def test_what_is_published_is_whole(state):
    depot.publish("state", {"open": state, "goods": list(range(100))})
    time.sleep(0.01)
    assert len(depot.published("state")["goods"]) == 100


@pytest.mark.parametrize("line", ["in", "out"])
def test_lines_are_logged(line):
    assert depot.log(line) >= 1


@pytest.mark.parametrize("place", range(2))
def test_any_port_will_do(place):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        assert listener.getsockname()[1] > 0


@pytest.mark.parametrize("text", ["a", "b"])
def test_own_folder(tmp_path, text):
    (tmp_path / "note").write_text(text)
    assert [path.read_text() for path in tmp_path.iterdir()] == [text]


@pytest.mark.parametrize("text", ["c", "d"])
def test_own_file(worker_id, text):
    path = depot.folder() / f"{worker_id}.txt"
    path.write_text(text)
    assert path.read_text() == text
