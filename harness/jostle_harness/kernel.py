"""Has jostle see the system calls of a worker: those of its C code and its subprocesses, too.

A filter (seccomp(2)) makes the calls that it knows wait until jostle lets them go on. jostle holds the other end, the
filter's listener. Where the harness is, it says by a system call as well, so that this comes in order with the others.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from typing import TYPE_CHECKING, Optional

from . import messages
from .channel import Channel, text
from .lines import Lines
from .outside import Outside

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: The number of ``seccomp`` among the system calls.
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER, _NEW_LISTENER = 1, 8
_NO_NEW_PRIVILEGES = 38
#: Stands in the filter for the channel's descriptor: jostle cannot be told of the calls by which it is told.
_CHANNEL = b"chan"
#: ``struct sock_filter`` has so many bytes.
_INSTRUCTION = 8

_make = os.mkfifo if hasattr(os, "mkfifo") else None  # bound now: a test may replace it


class Kernel:
    """What jostle is told of, and where the harness is meanwhile."""

    def __init__(self) -> None:
        self._place: messages.Whereabouts = {
            "position": None,
            "fixture": None,
            "started": None,
            "asleep": False,
            "teardown": False,
        }
        self._pid = 0

    def start(self, channel: Channel, program: Optional[str], outside: Outside, lines: Optional[Lines]) -> None:
        """Put the filter on this thread and on all that it starts; where that cannot be had, say so."""
        number = _SECCOMP.get(platform.machine())
        if program is None or number is None or sys.maxsize < 1 << 32:
            channel.send(messages.Unseen(type="unseen", why="this system does not tell of them"))
            return
        try:
            descriptor = channel.fileno().to_bytes(len(_CHANNEL), sys.byteorder)
            listener = _install(number, bytes.fromhex(program).replace(_CHANNEL, descriptor))
        except OSError as error:
            channel.send(messages.Unseen(type="unseen", why=text(error)))
            return
        # From here on no file can be opened until jostle has the listener.
        line = 0 if lines is None else lines.address
        told = messages.Listener(type="listener", roots=outside.roots, worker=outside.worker, line=line)
        channel.send(told, listener)
        os.close(listener)
        self._pid = os.getpid()

    @property
    def works(self) -> bool:
        """Whether system calls are seen."""
        return self._pid != 0

    def is_at(self, **changes: Unpack[messages.Whereabouts]) -> None:
        """Say where the harness is, if anybody listens."""
        if self._pid and os.getpid() == self._pid and _make is not None:
            self._place.update(changes)
            try:
                _make("jostle:" + json.dumps(self._place))
            except OSError:
                pass  # jostle has gone

    def tears_down(self) -> None:
        """Say that a test's teardown starts, before what it does there."""
        self.is_at(teardown=True)
        self._place["teardown"] = False


def _install(number: int, program: bytes) -> int:
    """Install a filter, by a module that the suite is not to find imported on our account."""
    before = set(sys.modules)
    import ctypes

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]

    libc = ctypes.CDLL(None, use_errno=True)
    given = Program(len(program) // _INSTRUCTION, program)
    error = libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    listener: int = -1 if error else libc.syscall(number, _SET_MODE_FILTER, _NEW_LISTENER, ctypes.byref(given))
    code = ctypes.get_errno()
    for name in set(sys.modules) - before:
        del sys.modules[name]
    if listener < 0:
        raise OSError(code, f"seccomp: {os.strerror(code)}")
    return listener
