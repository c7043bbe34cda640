"""The fork server: the suite is collected once, and each worker of a trial is a fork.

The zygote stands inside ``pytest_runtestloop`` and forks on request. What a test can see in a fork is to be what it
would see in a fresh worker: standard streams and pytest's capturing are started anew, the xdist identity and the
temporary folders are those of the worker, and the stack is as deep. What a process does only once it does in the
zygote: ``pytest_sessionfinish``, ``pytest_unconfigure`` and ``atexit`` run there at the end, and in no fork.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import inspect
import os
import select
import signal
import socket
import stat
import sys
import threading
import traceback
from typing import Dict, Iterator, List, Optional

import pytest

from . import limits, messages, neutralise, pytest_private, xdist_identity
from .channel import Channel, ChannelClosed, Setup, text
from .namespaces import Namespaces


def other_threads() -> List[str]:
    """The names of the threads besides the main one; a fork would silently lose them."""
    names = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    with contextlib.suppress(OSError):  # no /proc
        native = len(os.listdir("/proc/self/task")) - 1 - len(names)
        names += ["a thread that Python did not start"] * native
    return [text(name) for name in names]


def shared_files(own: int) -> List[str]:
    """What forks would share that is no file of pytest's own: files open for writing, and connections.

    Files that are only appended to are left out: a log does no harm.
    """
    shared = []
    with contextlib.suppress(OSError):  # no /proc
        for descriptor in map(int, os.listdir("/proc/self/fd")):
            with contextlib.suppress(OSError):  # the listing's own
                if descriptor > 2 and descriptor != own and _is_shared(descriptor):
                    shared.append(text(os.readlink(f"/proc/self/fd/{descriptor}")))
    return sorted(shared)


def _is_shared(descriptor: int) -> bool:
    found = os.fstat(descriptor)
    if stat.S_ISSOCK(found.st_mode):
        with socket.socket(fileno=os.dup(descriptor)) as connection:
            # The two ends of a pair, such as an event loop keeps, have no names.
            return connection.family in (socket.AF_INET, socket.AF_INET6) or bool(connection.getsockname())
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    written = flags & os.O_ACCMODE != os.O_RDONLY and not flags & os.O_APPEND
    return stat.S_ISREG(found.st_mode) and found.st_nlink > 0 and written


def _prepare(items: List[pytest.Item]) -> None:
    """Find out once, here, what every fork would find out for itself."""
    for item in items:
        _ = item.location
    with contextlib.suppress(Exception):  # a module whose attributes cannot be read; who shows a failure meets it
        # To show its first failure, pytest asks `inspect` for the source of a code, which looks at the files of
        # all modules then, and remembers them.
        inspect.getsource(_prepare.__code__)


class Zygote:
    """Forks workers, and tells jostle how they end."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._forks: Dict[int, Optional[int]] = {}
        self._namespaces = Namespaces()

    def serve(self, session: pytest.Session, identity_asked_at: Optional[str]) -> Optional[Channel]:
        """Fork until jostle is done. Returns in each fork its channel, and nothing in the zygote at the end."""
        sys.stdout.flush()
        sys.stderr.flush()
        _prepare(session.items)
        gc.collect()
        gc.freeze()
        shared = shared_files(self._channel.fileno())
        self._channel.send(
            messages.Ready(type="ready", threads=other_threads(), shared=shared, identity_asked_at=identity_asked_at)
        )
        while True:
            if self._wait():
                try:
                    request, descriptors = self._channel.receive_with_descriptors()
                except ChannelClosed:
                    self._end_forks()
                    return None
                if request["type"] == "fork":
                    worker = self._fork(descriptors, request["namespaces"], session)
                    if worker is not None:
                        return worker
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

    def _fork(self, descriptors: List[int], flags: List[int], session: pytest.Session) -> Optional[Channel]:
        namespaces = list(zip(flags, descriptors[2:]))
        pid = self._namespaces.fork(namespaces)
        if pid == 0:
            self._channel.abandon()
            for pidfd in self._forks.values():
                if pidfd is not None:
                    os.close(pidfd)
            os.setpgid(0, 0)
            self._namespaces.enter(namespaces)
            channel, output = descriptors[:2]
            redirect(session.config, output)
            gc.unfreeze()
            return Channel(channel)
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


def _pidfd(pid: int) -> Optional[int]:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def redirect(config: pytest.Config, output: int) -> None:
    """Give a fork standard streams of its own.

    pytest's capturing is started anew on them: the offsets of its temporary files are shared between forks.
    """
    capture = pytest_private.capture_manager(config)
    if capture is not None:
        capture.stop_global_capturing()
    for target in (1, 2, pytest_private.faulthandler_descriptor(config)):
        if target is not None:
            os.dup2(output, target)
    os.close(output)
    if capture is not None:
        capture.start_global_capturing()
        capture.suspend_global_capture()


def become(config: pytest.Config, setup: Setup) -> None:
    """Make a fork look like the worker that its plan wants."""
    xdist_identity.set_environment(setup.worker)
    xdist_identity.set_arguments(setup.worker)
    neutralise.set_options(config, setup.random_seed)
    if setup.worker is not None:
        xdist_identity.set_workerinput(config, setup.worker)
        config.option.basetemp = xdist_identity.basetemp(setup)
    pytest_private.renew_temporary_folders(config)


@contextlib.contextmanager
def ending_here(channel: Channel) -> Iterator[None]:
    """Run what a fork is for, and end it: what a process does at its end is the zygote's to do."""
    status = 1
    try:
        yield
        channel.send(messages.Done(type="done", status=0))
        status = 0
    except BaseException:  # pytest.exit and the like end a process; what they ended has been told
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)
