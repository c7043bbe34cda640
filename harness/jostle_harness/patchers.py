"""Libraries that put stand-ins in many places at once: what they have left there is one place, under the library's name."""

from __future__ import annotations

import re
import sys
import types
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional

from .places import Place, is_a, namespace

#: Libraries whose stand-ins are for a test, and not to stay. Some are plugins of pytest as well.
LIBRARIES = frozenset(
    ("freezegun", "time_machine", "responses", "respx", "moto", "pyfakefs", "vcr", "httpretty", "requests_mock")
)
_STAND_IN = re.compile(rf"<(?:class |function |bound method )?({'|'.join(sorted(LIBRARIES))})\.")
#: Where a library notes what is active, if it works past Python's objects.
_STACKS = {"time_machine.traveller_stack": "time_machine"}


def merged(places: Iterable[Place]) -> Iterator[Place]:
    """The places, with those that hold stand-ins of one library as one, before all others."""
    found: Dict[str, List[Place]] = {}
    others: List[Place] = []
    for place in places:
        library = None if place.restore is None else _stands_for(place)
        if library is None:
            others.append(place)
        else:
            found.setdefault(library, []).append(place)
    for library, held in found.items():
        # The library's own notes of what is active are put back with them.
        own = [place for place in others if place.name.startswith(f"{library}.") and place.restore is not None]
        others = [place for place in others if place not in own]
        count = len(held)
        new = f"active, in {count} {'place' if count == 1 else 'places'} such as {held[0].name}"
        yield Place(library, "mock left active", "not active", new, _restorer(library, held + own))
    yield from others


def _stands_for(place: Place) -> Optional[str]:
    """The library that has a stand-in at a place, or notes there that it has some elsewhere."""
    if place.name in _STACKS:
        return _STACKS[place.name]
    stand_in = _STAND_IN.match(place.new)
    return None if stand_in is None or _STAND_IN.match(place.old) else stand_in.group(1)


def probe(name: str) -> Optional[Callable[[], object]]:
    """What tells whether a library of that name notes more of its stand-ins as active, or fewer."""
    if name not in LIBRARIES:
        return None
    found = [module for key, module in list(sys.modules.items()) if key.partition(".")[0] == name]
    modules = [module for module in found if is_a(module, types.ModuleType)]
    noted = [value for module in modules for value in namespace(module).values() if type(value) in (list, dict, set)]
    return lambda: list(map(len, noted))


def _restorer(library: str, places: List[Place]) -> Callable[[], None]:
    restores = [place.restore for place in places if place.restore is not None]

    def restore() -> None:
        if library == "time_machine":
            _return_from_travel(sys.modules[library])
            return
        for one in reversed(restores):
            one()

    return restore


def _return_from_travel(time_machine: Any) -> None:
    while time_machine.traveller_stack:
        time_machine.travel.stop(None)  # of whichever has started last
