"""What becomes of one place over many tests: which leave it changed, and which touch it at all."""

from __future__ import annotations

from typing import Optional

from .probes import Finder, Probe


class Follower:
    """Compares a place with what it was at the start, and with what it was after the test before."""

    def __init__(self, name: str, find: Finder) -> None:
        self._name = name
        self._find = find
        self._probe: Optional[Probe] = None
        self._first: object = None
        self._last: object = None
        self.resolve()

    def resolve(self) -> None:
        """Look for the place, if it is not known yet: a fixture's value comes late."""
        if self._probe is None:
            self.start()

    def start(self) -> None:
        """What it is now is what it is compared with. Where it was put back, another object may be in its place."""
        self._probe = self._find(self._name)
        self._first = self._last = None if self._probe is None else self._probe()

    def has_moved(self) -> bool:
        """Whether it is another than when this was last asked."""
        before, self._last = self._last, None if self._probe is None else self._probe()
        return bool(before != self._last)

    def differs(self) -> bool:
        """Whether it was another than at the start, when it was last looked at."""
        return bool(self._first != self._last)
