"""A process that forks others on request, and tells jostle how they end: a zygote, or a worker that has stopped."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from fcntl import F_GETFL, F_SETFL, fcntl
from os import (
    O_ACCMODE,
    O_CLOEXEC,
    O_NONBLOCK,
    O_RDONLY,
    SEEK_CUR,
    SEEK_SET,
    close,
    dup2,
    fstat,
    get_inheritable,
    listdir,
    lseek,
    read,
)
from os import open as open_descriptor
from stat import S_ISREG
from typing import Dict, List, Optional, Tuple

from . import limits, messages
from .channel import Channel, ChannelClosed
from .namespaces import Namespaces

# What forks are made ready with is bound when this is imported: a test may replace it in its module.


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
    """Open anew, in a fork, each file that is only read: all forks would share how far it is. Where that cannot be, as it is
    locked or may not be opened any more, they do."""
    files: Dict[Tuple[int, int, int], List[int]] = {}
    with contextlib.suppress(OSError):  # no /proc
        for number in map(int, listdir("/proc/self/fd")):
            with contextlib.suppress(OSError):  # the listing's own
                status = fstat(number)
                if S_ISREG(status.st_mode) and fcntl(number, F_GETFL) & O_ACCMODE == O_RDONLY:
                    files.setdefault((status.st_dev, status.st_ino, lseek(number, 0, SEEK_CUR)), []).append(number)
    for numbers in files.values():
        while numbers:
            with contextlib.suppress(OSError):
                numbers = _open_anew(numbers)
                continue
            numbers = numbers[1:]


def _open_anew(numbers: List[int]) -> List[int]:
    """Have the first of some descriptors of a file, and those that were made of it, stand for the file as if that had been
    opened for them alone. Returns the others."""
    first = numbers[0]
    if _is_locked(first):
        return numbers[1:]
    flags = fcntl(first, F_GETFL)
    alike = [first] if len(numbers) == 1 else _of_one_opening(first, flags, numbers)
    own = open_descriptor(f"/proc/self/fd/{first}", flags | O_CLOEXEC)
    try:
        lseek(own, lseek(first, 0, SEEK_CUR), SEEK_SET)
        for number in alike:
            dup2(own, number, inheritable=get_inheritable(number))
    finally:
        close(own)
    return [number for number in numbers if number not in alike]


def _of_one_opening(first: int, flags: int, numbers: List[int]) -> List[int]:
    """Those descriptors that share a flag with one, which means nothing for a file: they were made of it."""
    before = [fcntl(number, F_GETFL) for number in numbers]
    fcntl(first, F_SETFL, flags ^ O_NONBLOCK)
    alike = [number for number, own in zip(numbers, before) if fcntl(number, F_GETFL) != own]
    fcntl(first, F_SETFL, flags)
    return alike


def _is_locked(number: int) -> bool:
    """Whether a lock is held by what a descriptor stands for: a file that is opened anew would wait for it."""
    descriptor = open_descriptor(f"/proc/self/fdinfo/{number}", O_RDONLY | O_CLOEXEC)
    try:
        return b"\nlock:" in read(descriptor, limits.FDINFO_BYTES)
    finally:
        close(descriptor)


def _pidfd(pid: int) -> Optional[int]:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
