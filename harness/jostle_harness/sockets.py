"""Sockets as Python has them: a suite may replace what the module ``socket`` offers, or have all of them time out."""

from __future__ import annotations

import _socket
import os
import socket

_Socket = socket.socket
_Plain = _socket.socket
_timeout, _set_timeout = _socket.getdefaulttimeout, _socket.setdefaulttimeout


def at(descriptor: int) -> _socket.socket:
    """A socket for a descriptor that is open, to be closed by itself. The descriptor stays as it is: with a timeout that holds
    for all new sockets it would not block any more, for whoever else has it.

    Raises ``OSError`` for what is no socket.
    """
    own, timeout = os.dup(descriptor), _timeout()
    _set_timeout(None)
    try:
        return _Plain(fileno=own)
    except BaseException:
        os.close(own)
        raise
    finally:
        _set_timeout(timeout)


def connected(port: int, seconds: float) -> socket.socket:
    """A socket that is connected to a port of this machine's loopback; raises ``OSError``."""
    opened = _Socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        opened.settimeout(seconds)
        _Plain.connect(opened, ("127.0.0.1", port))
    except BaseException:
        opened.close()
        raise
    return opened
