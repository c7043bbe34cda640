"""Entering a sandbox: a fork of a zygote joins the namespaces that jostle made for its trial."""

from __future__ import annotations

import os
import struct
import sys
from typing import Any, List, Tuple

#: ``CLONE_NEWPID``: whoever enters such a namespace stays where he is, and his children are born there.
_PROCESSES = 0x20000000
#: ``_LINUX_CAPABILITY_VERSION_3``
_CAPABILITIES = 0x20080522
#: ``PR_CAP_AMBIENT`` and ``PR_CAP_AMBIENT_CLEAR_ALL``
_AMBIENT, _CLEAR_ALL = 47, 4

#: A namespace's flag and its descriptor.
Namespace = Tuple[int, int]


class Namespaces:
    """The way from the namespaces of a zygote to those of a trial."""

    def __init__(self) -> None:
        self._libc: Any = None
        self._own = -1

    def fork(self, namespaces: List[Namespace]) -> int:
        """Fork, so that the child is born among the processes of the trial; returns what ``os.fork`` does."""
        if not namespaces:
            return os.fork()
        self._load()
        for flag, descriptor in namespaces:
            if flag == _PROCESSES:
                self._call("setns", descriptor, flag)
        pid = os.fork()
        if pid:
            self._call("setns", self._own, _PROCESSES)
        return pid

    def enter(self, namespaces: List[Namespace]) -> None:
        """Enter the other namespaces, in the child, and give up what it took to do so."""
        if not namespaces:
            return
        folder = os.getcwd()
        for flag, descriptor in namespaces:
            if flag != _PROCESSES:
                self._call("setns", descriptor, flag)
            os.close(descriptor)
        os.chdir(folder)  # a folder belongs to the mount namespace it was opened in
        if os.geteuid() != 0:
            nothing = struct.pack("=6I", 0, 0, 0, 0, 0, 0)
            self._call("capset", struct.pack("=Ii", _CAPABILITIES, 0), nothing)
            self._call("prctl", _AMBIENT, _CLEAR_ALL, 0, 0, 0)
        os.close(self._own)

    def _load(self) -> None:
        """Get at the system calls, by a module that the suite is not to find imported on our account."""
        if self._libc is not None:
            return
        before = set(sys.modules)
        import ctypes

        self._libc = ctypes.CDLL(None, use_errno=True)
        self._errno = ctypes.get_errno
        self._own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        for name in set(sys.modules) - before:
            del sys.modules[name]

    def _call(self, name: str, *arguments: Any) -> None:
        if getattr(self._libc, name)(*arguments) != 0:
            number = self._errno()
            raise OSError(number, f"{name}: {os.strerror(number)}")
