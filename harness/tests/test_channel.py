"""The channel: lines over a socket, with descriptors beside them."""

from __future__ import annotations

import json
import os
import socket
from typing import Iterator, Tuple

import pytest
from jostle_harness import messages
from jostle_harness.channel import Channel, ChannelClosed, receive_setup, text


@pytest.fixture
def ends() -> Iterator[Tuple[Channel, socket.socket]]:
    """The harness's end and jostle's."""
    own, other = socket.socketpair()
    channel = Channel(own.detach())
    yield channel, other
    other.close()
    channel.abandon()


def test_a_message_is_a_line(ends: Tuple[Channel, socket.socket]) -> None:
    channel, jostle = ends
    channel.send(messages.Start(type="start", position=3))
    assert json.loads(jostle.recv(1000)) == {"type": "start", "position": 3}


def test_messages_are_read_one_by_one_however_they_come(ends: Tuple[Channel, socket.socket]) -> None:
    channel, jostle = ends
    jostle.sendall(b'{"type": "go"}\n{"type": "turn", "turn": 1}\n{"type": "tu')
    assert channel.receive() == {"type": "go"}
    assert channel.has_pending()
    assert channel.receive() == {"type": "turn", "turn": 1}
    assert not channel.has_pending()
    jostle.sendall(b'rn", "turn": 2}\n')
    assert channel.receive() == {"type": "turn", "turn": 2}


def test_descriptors_go_to_the_message_that_says_so(ends: Tuple[Channel, socket.socket]) -> None:
    channel, jostle = ends
    reading, writing = os.pipe()
    fork = b'{"type": "fork", "descriptors": 1, "namespaces": []}\n'
    socket.send_fds(jostle, [b'{"type": "kill", "pid": 1, "signal": 9}\n' + fork], [writing])
    os.close(writing)
    _, none = channel.receive_with_descriptors()
    message, [own] = channel.receive_with_descriptors()
    assert (none, message["type"]) == ([], "fork")
    os.write(own, b"through")
    assert os.read(reading, 100) == b"through"
    os.close(own)
    os.close(reading)


def test_a_descriptor_goes_along(ends: Tuple[Channel, socket.socket]) -> None:
    channel, jostle = ends
    reading, writing = os.pipe()
    channel.send(messages.Listener(type="listener", roots=[("/", None)], worker=None, line=0), writing)
    line, [copy], _, _ = socket.recv_fds(jostle, 1000, 3)
    assert json.loads(line)["type"] == "listener"
    os.write(copy, b"x")
    assert os.read(reading, 10) == b"x"
    for descriptor in (copy, reading, writing):
        os.close(descriptor)


def test_the_end_of_jostle_is_told(ends: Tuple[Channel, socket.socket]) -> None:
    channel, jostle = ends
    jostle.close()
    with pytest.raises(ChannelClosed):
        channel.receive()
    with pytest.raises(ChannelClosed):
        channel.send(messages.First(type="first"))


def test_a_fork_says_nothing(ends: Tuple[Channel, socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    channel, jostle = ends
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    channel.send(messages.First(type="first"))
    monkeypatch.undo()
    jostle.setblocking(False)
    with pytest.raises(BlockingIOError):
        jostle.recv(10)


def test_another_protocol_is_refused(ends: Tuple[Channel, socket.socket]) -> None:
    channel, jostle = ends
    jostle.sendall(b'{"type": "setup", "protocol": 1}\n')
    with pytest.raises(SystemExit):
        receive_setup(channel)
    answer = json.loads(jostle.recv(1000))
    assert answer == {"type": "error", "message": f"the harness speaks protocol {messages.PROTOCOL}, jostle 1"}


class Unprintable:
    def __str__(self) -> str:
        raise ValueError("no")


TEXTS = [
    ("aä", 0, "aä"),
    ("\ud800", 0, "\\ud800"),
    ("abc", 2, "bc"),
    (3, 0, "3"),
    (Unprintable(), 0, "<unprintable Unprintable: ValueError>"),
]


@pytest.mark.parametrize(("value", "most", "shown"), TEXTS)
def test_a_text_is_one_that_json_and_rust_can_hold(value: object, most: int, shown: str) -> None:
    assert text(value, most) == shown
