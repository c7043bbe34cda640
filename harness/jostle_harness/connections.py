"""Connections that are open: a test that uses what an earlier one has opened makes no call that anybody is told of."""

from __future__ import annotations

import _socket
import contextlib
import os
import socket
import struct
from typing import Any, Dict, List, Optional, Tuple

from . import sockets

_list_folder = os.listdir  # bound now: a test may replace it
#: Where the kernel's answer to ``TCP_INFO`` has how many segments of data were sent (``tcpi_data_segs_out``).
_SENT = struct.Struct("=156xI")

#: What tells one connection from another, and how much was sent by it, if that can be told.
_Open = Dict[Tuple[Any, ...], Optional[int]]


class Connections:
    """Those of this process that lead to another."""

    def __init__(self) -> None:
        self._before: _Open = {}

    def look(self) -> List[Tuple[Any, int]]:
        """The addresses, each with the kind of socket, of those that were open the last time and were used since. One of
        which that cannot be told counts as used while it is open."""
        now, before = _open(), self._before
        used = [key for key, sent in now.items() if key in before and (sent is None or sent != before[key])]
        self._before = now
        return [(peer, kind) for _, _, peer, kind in used]


def _open() -> _Open:
    found: _Open = {}
    try:
        names = _list_folder("/proc/self/fd")
    except OSError:
        return found
    for name in names:
        try:
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            with contextlib.closing(sockets.at(int(name))) as opened:
                peer, kind = opened.getpeername(), opened.type
                found[(name, opened.getsockname(), peer, int(kind))] = _sent(opened)
        except OSError:
            continue  # one that listens, or was closed meanwhile
    return found


def _sent(opened: _socket.socket) -> Optional[int]:
    if opened.family not in (socket.AF_INET, socket.AF_INET6) or opened.type != socket.SOCK_STREAM:
        return None
    told = opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SENT.size)
    return int(_SENT.unpack(told)[0]) if len(told) == _SENT.size else None
