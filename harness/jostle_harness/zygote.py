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
import socket
import stat
import sys
import traceback
from typing import Iterator, List, Optional

import pytest

from . import libraries, messages, neutralise, pytest_private, sockets, threads, xdist_identity
from .channel import Channel, Setup, text
from .fork_server import ForkServer
from .namespaces import Namespaces, fork_quietly
from .threads import Starts


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
        with contextlib.closing(sockets.at(descriptor)) as connection:
            # The two ends of a pair, such as an event loop keeps, have no names.
            return connection.family in (socket.AF_INET, socket.AF_INET6) or bool(connection.getsockname())
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    written = flags & os.O_ACCMODE != os.O_RDONLY and not flags & os.O_APPEND
    return stat.S_ISREG(found.st_mode) and found.st_nlink > 0 and written


def _prepare(items: List[pytest.Item]) -> None:
    """Find out once, here, what every fork would find out for itself."""
    for item in items:
        _ = item.location
    libraries.tell_paths()
    with contextlib.suppress(Exception):  # a module whose attributes cannot be read; who shows a failure meets it
        # To show its first failure, pytest asks `inspect` for the source of a code, which looks at the files of
        # all modules then, and remembers them.
        inspect.getsource(_prepare.__code__)


class Zygote(ForkServer):
    """Forks workers of a suite that has been collected."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel, Namespaces())

    def fork_workers(
        self, session: pytest.Session, identity_asked_at: Optional[str], starts: Starts
    ) -> Optional[Channel]:
        """Fork until jostle is done. Returns in each fork its channel, and nothing in the zygote at the end."""
        sys.stdout.flush()
        sys.stderr.flush()
        _prepare(session.items)
        gc.collect()
        gc.freeze()
        shared = shared_files(self._channel.fileno())
        lost = threads.lost(fork_quietly, starts)
        starts.stop()
        self._channel.send(
            messages.Ready(
                type="ready",
                threads=lost.needed,
                native=lost.native + lost.ended,
                shared=shared,
                identity_asked_at=identity_asked_at,
            )
        )
        ends = self.serve()
        if ends is None:
            return None
        self._channel.abandon()
        channel, output = ends
        redirect(session.config, output)
        gc.unfreeze()
        return Channel(channel)


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
