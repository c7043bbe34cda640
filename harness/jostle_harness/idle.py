"""How long a worker had nothing to do: it neither computed nor waited for a core, nor was it kept from going on."""

from __future__ import annotations

import os
from time import perf_counter, process_time  # bound now: a test may replace them

_open, _read, _close = os.open, os.read, os.close


class Idle:
    """Counts from its last start on."""

    def __init__(self) -> None:
        self._wall = self._used = self._delayed = 0.0
        self.start()

    def start(self) -> None:
        """Count anew."""
        self._wall, self._used, self._delayed = perf_counter(), process_time(), _delayed()

    def seconds(self, least: float) -> float:
        """How many seconds it was, and 0 if fewer than asked for."""
        seconds = (perf_counter() - self._wall) - (process_time() - self._used)
        # What delayed it can only make it less, and is dear to ask.
        seconds -= _delayed() - self._delayed if seconds >= least else 0.0
        return seconds if seconds >= least else 0.0


def _delayed() -> float:
    """Seconds that this thread waited for a core, which a busy machine makes long."""
    try:
        descriptor = _open("/proc/thread-self/schedstat", os.O_RDONLY)
        try:
            return int(_read(descriptor, 100).split()[1]) / 1e9
        finally:
            _close(descriptor)
    except (OSError, ValueError, IndexError):
        return 0.0  # only Linux tells
