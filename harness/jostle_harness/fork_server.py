"""A process that forks others on request, and tells jostle how they end: a zygote, or a worker that has stopped."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import stat
from os import fstat, listdir, lseek  # bound now: a test may replace them
from typing import Dict, List, Optional, Tuple

from . import limits, messages
from .channel import Channel, ChannelClosed
from .namespaces import Namespaces

_open = os.open  # bound now: a test may replace it


class ForkServer:
    """Forks on request."""

    def __init__(self, channel: Channel, namespaces: Namespaces) -> None:
        self._channel = channel
        self._forks: Dict[int, Optional[int]] = {}
        #: The way into the sandboxes of the forks.
        self.namespaces = namespaces

    def serve(self) -> Optional[Tuple[int, int]]:
        """Fork until jostle is done. Returns in each fork the descriptors of its channel and of its output, and nothing
        here at the end."""
        while True:
            if self._wait():
                try:
                    request, descriptors = self._channel.receive_with_descriptors()
                except ChannelClosed:
                    self._end_forks()
                    return None
                if request["type"] == "fork":
                    ends = self._fork(descriptors, request["namespaces"])
                    if ends is not None:
                        return ends
                elif request["type"] == "kill":
                    self._kill(request["pid"], request["signal"])
            self._reap()

    def _wait(self) -> bool:
        """Wait until jostle says something (true) or a fork may have ended."""
        if self._channel.has_pending():
            return True
        poll = select.poll()
        control = self._channel.fileno()
        poll.register(control, select.POLLIN)
        watchable = [pidfd for pidfd in self._forks.values() if pidfd is not None]
        for pidfd in watchable:
            poll.register(pidfd, select.POLLIN)
        blind = len(watchable) < len(self._forks)
        ready = poll.poll(limits.LOOK_SECONDS * 1000 if blind else None)
        return any(descriptor == control for descriptor, _ in ready)

    def _fork(self, descriptors: List[int], flags: List[int]) -> Optional[Tuple[int, int]]:
        """Fork. Returns in the fork the descriptors of its channel and of its output."""
        namespaces = list(zip(flags, descriptors[2:]))
        pid = self.namespaces.fork(namespaces)
        if pid == 0:
            for pidfd in self._forks.values():
                if pidfd is not None:
                    os.close(pidfd)
            os.setpgid(0, 0)
            self.namespaces.enter(namespaces)
            have_own_positions()
            return descriptors[0], descriptors[1]
        with contextlib.suppress(OSError):  # the fork was quicker, or has ended
            os.setpgid(pid, pid)
        for descriptor in descriptors:
            os.close(descriptor)
        self._forks[pid] = _pidfd(pid)
        self._channel.send(messages.Forked(type="forked", pid=pid))
        return None

    def _kill(self, pid: int, number: int) -> None:
        # A fork that is not reaped yet keeps its number, so no other group can be hit.
        if pid in self._forks:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, number)

    def _reap(self) -> None:
        for pid in list(self._forks):
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                continue
            self._kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            pidfd = self._forks.pop(pid)
            if pidfd is not None:
                os.close(pidfd)
            code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
            self._channel.send(messages.Exited(type="exited", pid=pid, code=code, signal=number))

    def _end_forks(self) -> None:
        for pid in self._forks:
            self._kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def have_own_positions() -> None:
    """Open anew, in a fork, each file that is only read: all forks would share how far it is."""
    with contextlib.suppress(OSError):  # no /proc
        for number in map(int, listdir("/proc/self/fd")):
            with contextlib.suppress(OSError):  # the listing's own, or a file that may not be read any more
                flags = fcntl.fcntl(number, fcntl.F_GETFL)
                is_read = stat.S_ISREG(fstat(number).st_mode) and flags & os.O_ACCMODE == os.O_RDONLY
                if is_read and not _is_locked(number):
                    _open_anew(number, flags)


def _is_locked(number: int) -> bool:
    """Whether a lock is held by what a descriptor stands for: a file that is opened anew would wait for it."""
    descriptor = _open(f"/proc/self/fdinfo/{number}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return b"\nlock:" in os.read(descriptor, limits.FDINFO_BYTES)
    finally:
        os.close(descriptor)


def _open_anew(number: int, flags: int) -> None:
    """Have a descriptor stand for its file as if that had been opened for it, and not be read by others."""
    position = lseek(number, 0, os.SEEK_CUR)
    own = _open(f"/proc/self/fd/{number}", flags | os.O_CLOEXEC)
    try:
        lseek(own, position, os.SEEK_SET)
        os.dup2(own, number, inheritable=os.get_inheritable(number))
    finally:
        os.close(own)


def _pidfd(pid: int) -> Optional[int]:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
