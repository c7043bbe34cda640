"""A worker that stops in the midst of its list, and is forked from there on: what was run before is run once for all.

A fork of it is to be what it is itself, down to its number and its thread's: no handler of ``os.register_at_fork`` is run, so
that neither ``random`` nor an event loop is another, and the system gives it the same number in a sandbox of its own.
What the system does not pass on, and what forks would share, such as open files, is looked for first. If there is
any, the worker does not stop.
"""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import stat
import sys
from os import fstat, geteuid, getpid, listdir, readlink, uname  # bound now: a test may replace them
from typing import Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from . import limits, messages, threads
from .channel import Channel, text
from .fork_server import ForkServer
from .namespaces import Namespaces

#: Device and inode.
_File = Tuple[int, int]

#: The number of the devices such as ``/dev/null``, which nobody can leave in another state.
_MEMORY_DEVICES = 1


_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


class _Open(NamedTuple):
    """A descriptor that is open."""

    number: int
    file: _File
    mode: int
    device: int
    links: int
    size: int


class Checkpoint:
    """The place in the list where a worker is to stop. It is made before the first test."""

    def __init__(self, channel: Channel, namespaces: Namespaces) -> None:
        self._channel = channel
        self._namespaces = namespaces
        self._known: Set[_File] = {found.file for found in _descriptors()}
        self._output = next(found.file for found in _descriptors() if found.number == 1)
        self._mapped = _shared_maps()
        self._number = getpid()
        self._user = geteuid()
        self._host_name = uname().nodename

    def stop(self) -> bool:
        """Stop, and fork on request. Returns true in each fork, and false if this process cannot stop."""
        collects = gc.isenabled()
        gc.disable()  # nothing is to happen while it stands but what forks are told
        try:
            why = self._unfit()
            if why is None:
                self._namespaces.take_up()
        except Exception as error:  # a test that has changed what is asked here, or a system that does not tell
            why = f"{type(error).__name__}: {error}"
        self._channel.send(messages.Stopped(type="stopped", unfit=None if why is None else text(why)))
        if why is None:
            self._serve()
        if collects:
            gc.enable()
        return why is None

    def _serve(self) -> None:
        """Fork until jostle is done, which is the end; returns in each fork."""
        self._namespaces.exactly = True
        ends = ForkServer(self._channel, self._namespaces).serve()
        if ends is None:
            os._exit(0)
        if getpid() != self._number:
            raise RuntimeError(f"a fork has the number {getpid()} in place of {self._number}")
        self._namespaces.give_up(keep=False)
        channel, output = ends
        self._channel.renew(channel)
        self._renew_files(output)

    def _renew_files(self, output: int) -> None:
        """Put this fork's own files in the place of those that it would share: its output, and what has no name, such as
        the files that pytest captures output with."""
        copies: Dict[_File, int] = {}
        for found in list(_descriptors()):
            if found.file == self._output:
                _put(output, found.number)
            elif _has_no_name(found):
                if found.file not in copies:
                    copies[found.file] = _copy(found)
                _put(copies[found.file], found.number)
        for descriptor in (output, *copies.values()):
            os.close(descriptor)

    def _unfit(self) -> Optional[str]:
        """Why a fork would not be what this process is; nothing if it would."""
        return next(self._reasons(), None)

    def _reasons(self) -> Iterator[str]:
        if threads.are_of_python():
            yield "there are other threads"
        if {name for name in listdir("/proc") if name.isdigit()} - {"1", str(getpid())}:
            yield "there are other processes"
        if signal.getsignal(signal.SIGCHLD) is not signal.SIG_DFL:
            yield "the ends of other processes are handled"
        if any(signal.getitimer(timer) != (0.0, 0.0) for timer in _TIMERS):
            yield "a timer runs"
        if sys.gettrace() is not None or sys.getprofile() is not None:
            yield "each step is traced"
        if geteuid() != self._user or uname().nodename != self._host_name:
            yield "the user or the machine's name is another"
        os.getcwd()
        if listdir("/dev/shm") or any(map(_is_used, ("shm", "sem", "msg"))):
            yield "there is memory, a semaphore or a queue that processes share"
        if _shared_maps() - self._mapped:
            yield "a file is mapped to memory"
        for found in _descriptors():
            if not self._may_stay_open(found):
                yield f"descriptor {found.number} is open: {readlink(f'/proc/self/fd/{found.number}')}"
        lost = threads.lost(self._namespaces.fork_for_trial)
        if lost.needed or lost.native:
            yield f"a fork would lose threads: {', '.join(lost.needed + lost.native)}"

    def _may_stay_open(self, found: _Open) -> bool:
        """Whether a descriptor harms no other fork: an old one is shared by all forks of the zygote as well."""
        if _has_no_name(found):
            return found.size <= limits.COPIED_BYTES
        is_device = stat.S_ISCHR(found.mode) and os.major(found.device) == _MEMORY_DEVICES
        return is_device or found.file in self._known


def _is_used(kind: str) -> bool:
    """Whether there is anything of System V's of this kind."""
    try:
        with open(f"/proc/sysvipc/{kind}", "rb") as table:
            return len(table.readlines()) > 1
    except FileNotFoundError:  # a system without
        return False


def _descriptors() -> Iterator[_Open]:
    for name in listdir("/proc/self/fd"):
        number = int(name)
        try:
            status = fstat(number)
        except OSError:  # the listing's own
            continue
        file = (status.st_dev, status.st_ino)
        yield _Open(number, file, status.st_mode, status.st_rdev, status.st_nlink, status.st_size)


def _has_no_name(found: _Open) -> bool:
    return stat.S_ISREG(found.mode) and found.links == 0


def _copy(found: _Open) -> int:
    """A file of its own with what is in this one, and its position."""
    copy = os.memfd_create("jostle", os.MFD_CLOEXEC)
    os.write(copy, os.pread(found.number, found.size, 0))
    os.lseek(copy, os.lseek(found.number, 0, os.SEEK_CUR), os.SEEK_SET)
    fcntl.fcntl(copy, fcntl.F_SETFL, fcntl.fcntl(found.number, fcntl.F_GETFL))
    return copy


def _put(descriptor: int, number: int) -> None:
    """Have a number stand for another file, without a change of who inherits it."""
    os.dup2(descriptor, number, inheritable=os.get_inheritable(number))


def _shared_maps() -> Set[str]:
    """The files of which what is written to memory is written to them, or seen by others."""
    with open("/proc/self/maps", "rb") as maps:
        fields: List[List[bytes]] = [line.split(maxsplit=5) for line in maps]
    return {text(os.fsdecode(field[-1])) for field in fields if b"s" in field[1]}
