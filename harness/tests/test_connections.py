"""Connections that an earlier test has opened are seen to be used, on whatever socket."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import pytest
from jostle_harness import sockets
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


def test_who_looks_at_connections_leaves_them_as_they_are() -> None:
    first, second = socket.socketpair()
    with first, second:
        socket.setdefaulttimeout(5)
        try:
            connections = Connections()
            connections.look()
            connections.look()
        finally:
            socket.setdefaulttimeout(None)
        assert os.get_blocking(first.fileno()) and os.get_blocking(second.fileno())


def test_a_suite_that_forbids_sockets_is_none_of_the_harness_concern(monkeypatch: pytest.MonkeyPatch) -> None:
    def guard(*_: object, **__: object) -> None:
        raise RuntimeError("no network in tests")

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with monkeypatch.context() as patches:
            patches.setattr(socket, "socket", guard)
            patches.setattr(socket, "create_connection", guard)
            Connections().look()
            with contextlib.closing(sockets.connected(listener.getsockname()[1], 5)) as opened:
                assert opened.getpeername() == listener.getsockname()
