"""The shared libraries that a process has loaded."""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any, List

from .unseen import import_unseen

_open = open  # bound now: a test may replace it
_LIBRARY = re.compile(rb"(/[^\n]*\.so(?:\.[^\n/]*)?)$")


def paths() -> List[str]:
    """The files of the libraries; none where the system does not tell."""
    found = set()
    with contextlib.suppress(OSError), _open("/proc/self/maps", "rb") as maps:
        for line in maps:
            library = _LIBRARY.search(line)
            if library is not None:
                found.add(os.fsdecode(library[1]))
    return sorted(found)


def tell_paths() -> None:
    """Tell the loader which file each library is.

    In a sandbox a fork finds each file on another device, by which the loader would take it for one that is not loaded. It
    compares names first, and learns another one where it is asked for a library by its path, as long as the device is the same.
    """
    ctypes: Any = import_unseen("ctypes")
    for path in paths():
        with contextlib.suppress(OSError):  # deleted, or of a loader that compares no names
            ctypes.CDLL(path, mode=os.RTLD_NOLOAD)
