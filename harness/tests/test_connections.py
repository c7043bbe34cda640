"""Connections that an earlier test has opened are seen to be used, on whatever socket."""

from __future__ import annotations

import socket
from pathlib import Path

from jostle_harness.connections import Connections


def test_a_connection_that_was_open_is_told_when_something_is_sent_by_it() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = listener.getsockname()
        connections = Connections()
        with socket.create_connection(address) as client, listener.accept()[0]:
            assert connections.look() == [], "whoever opens it makes a call that is told"
            assert connections.look() == []
            client.send(b"x")
            assert (address, int(socket.SOCK_STREAM)) in connections.look()
            assert connections.look() == []
        assert connections.look() == []


def test_what_cannot_be_told_counts_as_used(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(path)
        listener.listen()
        client.connect(path)
        connections = Connections()
        connections.look()
        assert (path, int(socket.SOCK_STREAM)) in connections.look()
