"""How long a worker had nothing to do: it neither computed nor waited for a core, nor was it kept from going on."""

from __future__ import annotations

import os
from time import perf_counter, process_time  # bound now: a test may replace them

_open, _read, _close = os.open, os.read, os.close


class Idle:
    """Counts from its last start on."""

    def __init__(self) -> None:
        self._wall = self._used = 0.0
        self.start()

    def start(self) -> None:
        """Count anew."""
        self._wall, self._used = perf_counter(), _used()

    def seconds(self) -> float:
        """How many seconds it was."""
        return max(0.0, (perf_counter() - self._wall) - (_used() - self._used))


def _used() -> float:
    """Seconds of all threads on a core, and of this one in waiting for a core, which a busy machine makes long."""
    delayed = 0.0
    try:
        descriptor = _open("/proc/thread-self/schedstat", os.O_RDONLY)
        try:
            delayed = int(_read(descriptor, 100).split()[1]) / 1e9
        finally:
            _close(descriptor)
    except (OSError, ValueError, IndexError):
        pass  # only Linux tells
    return process_time() + delayed
