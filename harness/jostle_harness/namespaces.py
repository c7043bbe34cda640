"""Entering a sandbox: a fork joins the namespaces that jostle made for its trial."""

from __future__ import annotations

import os
import struct
import warnings
from typing import Any, List, Tuple

from .unseen import import_unseen

#: ``CLONE_NEWPID``: whoever enters such a namespace stays where he is, and his children are born there.
_PROCESSES = 0x20000000
#: ``_LINUX_CAPABILITY_VERSION_3``
_CAPABILITIES = 0x20080522
#: ``CAP_SYS_CHROOT`` and ``CAP_SYS_ADMIN``: what it takes to enter a mount namespace.
_TO_ENTER = 1 << 18 | 1 << 21
#: ``PR_CAP_AMBIENT`` and ``PR_CAP_AMBIENT_CLEAR_ALL``
_AMBIENT, _CLEAR_ALL = 47, 4

#: A namespace's flag and its descriptor.
Namespace = Tuple[int, int]


def _own_processes() -> int:
    return os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)


def fork_quietly() -> int:
    """``os.fork``, without the warning that there are other threads: what becomes of them was found out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


class Namespaces:
    """The way from the namespaces of whoever forks to those of a trial."""

    def __init__(self) -> None:
        self._libc: Any = None
        self._fork: Any = None
        self._own = -1
        #: Whether forks are exact copies, in which no handler of ``os.register_at_fork`` has been run: nothing but one
        #: thread is left to a fork then, and that is to be all that there was.
        self.exactly = False

    def fork(self, namespaces: List[Namespace]) -> int:
        """Fork, so that the child is born among the processes of the trial; returns what ``os.fork`` does."""
        if not namespaces:
            return fork_quietly()
        self._load()
        for flag, descriptor in namespaces:
            if flag == _PROCESSES:
                self._call("setns", descriptor, flag)
        pid = self._fork_exactly() if self.exactly else fork_quietly()
        if pid:
            self._call("setns", self._own, _PROCESSES)
        return pid

    def fork_for_trial(self) -> int:
        """Fork as for a trial, but into the namespaces of this process."""
        self._load()
        return self._fork_exactly()

    def _fork_exactly(self) -> int:
        pid = int(self._fork())
        if pid < 0:
            raise OSError(self._errno(), "fork")
        return pid

    def enter(self, namespaces: List[Namespace]) -> None:
        """Enter the other namespaces, in the child. It has yet to give up what it took to do so."""
        if not namespaces:
            return
        folder = os.getcwd()
        for flag, descriptor in namespaces:
            if flag != _PROCESSES:
                self._call("setns", descriptor, flag)
            os.close(descriptor)
        os.chdir(folder)  # a folder belongs to the mount namespace it was opened in
        os.close(self._own)
        self._own = -1

    def give_up(self, keep: bool) -> None:
        """Give up what it took to enter, for good or, to ``keep`` it, so that nothing is done with it before
        :meth:`take_up`."""
        if self._libc is not None and os.geteuid() != 0:
            self._set_capabilities(0, _TO_ENTER if keep else 0)
            self._call("prctl", _AMBIENT, _CLEAR_ALL, 0, 0, 0)

    def take_up(self) -> None:
        """Make ready to fork again, from the namespaces that were entered."""
        self._load()
        if os.geteuid() != 0:
            self._set_capabilities(_TO_ENTER, _TO_ENTER)
        if self._own < 0:
            self._own = _own_processes()

    def _set_capabilities(self, effective: int, permitted: int) -> None:
        sets = struct.pack("=6I", effective, permitted, 0, 0, 0, 0)
        self._call("capset", struct.pack("=Ii", _CAPABILITIES, 0), sets)

    def _load(self) -> None:
        """Get at the system calls."""
        if self._libc is not None:
            return
        ctypes: Any = import_unseen("ctypes")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._errno = ctypes.get_errno
        # It keeps the interpreter's lock, whose state would else be another in the child.
        self._fork = ctypes.PyDLL(None, use_errno=True).fork
        self._own = _own_processes()

    def _call(self, name: str, *arguments: Any) -> None:
        if getattr(self._libc, name)(*arguments) != 0:
            number = self._errno()
            raise OSError(number, f"{name}: {os.strerror(number)}")
