"""The channel to jostle: JSON lines over an inherited socket, never stdout."""

from __future__ import annotations

import fcntl
import os
import socket
import threading
from json import dumps, loads  # bound now: a test may replace them
from typing import FrozenSet, List, Optional, Tuple

from . import messages
from .messages import PROTOCOL, ToHarness, ToJostle
from .stable import set_folder

#: Descriptors that one message may bring along.
_MOST_DESCRIPTORS = 16

#: Above what programs use, so that a test which closes "all" low descriptors does not hit it.
_HIGH = 800


class ChannelClosed(Exception):
    """jostle has gone, or a test closed the channel."""


class Channel:
    """One end of the socket. The other end sends one ``setup`` message first."""

    def __init__(self, descriptor: int) -> None:
        try:
            high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH)
        except OSError:  # the limit of descriptors is lower than that
            high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
        os.close(descriptor)
        self._socket = socket.socket(fileno=high)
        self._pending = b""
        self._descriptors: List[int] = []
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def send(self, message: ToJostle, descriptor: Optional[int] = None) -> None:
        """Send a message, with a descriptor if there is one. A fork that comes here by accident says nothing."""
        if os.getpid() != self._pid:
            return
        line = dumps(message, ensure_ascii=True).encode("ascii") + b"\n"
        try:
            with self._lock:
                if descriptor is not None:
                    line = line[socket.send_fds(self._socket, [line], [descriptor]) :]
                self._socket.sendall(line)
        except OSError as error:
            raise ChannelClosed(str(error)) from error

    def receive(self) -> ToHarness:
        """Wait for the next message."""
        pieces = [self._pending]
        while b"\n" not in pieces[-1]:
            try:
                more, descriptors, _, _ = socket.recv_fds(self._socket, 1 << 20, _MOST_DESCRIPTORS)
            except OSError as error:
                raise ChannelClosed(str(error)) from error
            if not more:
                raise ChannelClosed("jostle has gone")
            self._descriptors += descriptors
            pieces.append(more)
        line, self._pending = b"".join(pieces).split(b"\n", 1)
        message: ToHarness = loads(line)
        return message

    def receive_with_descriptors(self) -> Tuple[ToHarness, List[int]]:
        """Wait for the next message, and take as many of the descriptors that came as it says are its own."""
        message = self.receive()
        count = message["descriptors"] if message["type"] == "fork" else 0
        own, self._descriptors = self._descriptors[:count], self._descriptors[count:]
        return message, own

    def has_pending(self) -> bool:
        """Whether a message has been received that nobody has asked for yet."""
        return b"\n" in self._pending

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def renew(self, descriptor: int) -> None:
        """Go on over another socket: all who hold this channel do, without noticing."""
        os.dup2(descriptor, self._socket.fileno(), inheritable=False)
        os.close(descriptor)
        self._pending, self._descriptors = b"", []

    def abandon(self) -> None:
        """Close this process's end; a fork does so with its parent's channel."""
        self._socket.close()


class Setup:
    """What jostle wants of this process: the fields of the ``setup`` message."""

    def __init__(self, message: messages.Setup) -> None:
        self.purpose: messages.Purpose = message["purpose"]
        self.imports: Optional[List[str]] = message["imports"]
        self.worker: Optional[messages.WorkerIdentity] = message["worker"]
        self.random_seed: int = message["random_seed"]
        self.tests: List[Tuple[str, int]] = message["tests"]
        self.barriers: FrozenSet[int] = frozenset(message["barriers"])
        self.folder: str = message["folder"]
        set_folder(self.folder)
        #: ``at``: the resources at which to ask for turns, or nothing to note what tests touch. Nothing: no watch.
        self.watch: Optional[messages.WatchSetup] = message["watch"]
        #: The place in the list before which to stop, and to fork from then on.
        self.stop: Optional[int] = message.get("stop")
        #: What is to be found out of the state that the tests before the last one leave.
        self.explain: Optional[messages.Instructions] = message.get("explain")
        #: The places of state that the user has named.
        self.named_places: List[messages.NamedPlace] = message.get("named_places", [])
        #: The servers of the trial's own whose state is looked at.
        self.servers: List[messages.Server] = message.get("servers", [])
        #: Whether this is the setup of a zygote's fork.
        self.is_fork = False


def receive_setup(channel: Channel) -> Setup:
    """Wait for the first message, which is no other."""
    message = channel.receive()
    if message["type"] != "setup":
        raise ValueError(f"jostle's first message is {message['type']!r}")
    if message.get("protocol") != PROTOCOL:
        why = f"the harness speaks protocol {PROTOCOL}, jostle {message.get('protocol')}"
        channel.send(messages.Error(type="error", message=why))
        raise SystemExit(3)
    return Setup(message)


def text(value: object, most: int = 0) -> str:
    """A string that JSON and Rust can hold: lone surrogates become backslash escapes.

    ``most`` is how many characters of its end are kept; 0 keeps all.
    """
    try:
        string = str(value)
    except Exception as error:  # a broken __str__ must not end the run
        string = f"<unprintable {type(value).__name__}: {type(error).__name__}>"
    string = string[-most:] if most else string
    return string.encode("utf-8", "backslashreplace").decode("utf-8")
