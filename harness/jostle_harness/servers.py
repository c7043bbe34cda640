"""What servers of the trial's own keep."""

from __future__ import annotations

from typing import Callable, Iterator, List, Optional, Sequence, Union

from . import clients, messages
from .keys import Keys
from .places import Place
from .tables import Tables


class Servers:
    """All that they kept when this was made."""

    def __init__(self, servers: Sequence[messages.Server], is_own: clients.IsOwn, fixtures: clients.Fixtures) -> None:
        self._all: List[Union[Tables, Keys]] = [
            Tables(server, is_own, fixtures) if server["sort"] == "postgres" else Keys(server, is_own)
            for server in servers
        ]

    @property
    def is_cut_off(self) -> bool:
        """Whether there was something that could not be looked at."""
        return any(one.is_cut_off for one in self._all)

    def note_new(self) -> None:
        """Note what has come since, such as the tables that a fixture has just made."""
        for one in self._all:
            one.note_new()

    def changes(self) -> Iterator[Place]:
        """What differs by now."""
        for one in self._all:
            yield from one.changes()

    def probe(self, name: str) -> Optional[Callable[[], object]]:
        """What tells whether the place of a name is another by now, if it is one of these."""
        return next((probe for probe in (one.probe(name) for one in self._all) if probe is not None), None)
