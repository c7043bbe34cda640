"""Python's own iterators over what it holds: how much is left of one, and another with as much left.

Nothing is taken from an iterator for it. It cannot be put back in place, so that another takes its place.
"""

from __future__ import annotations

import collections
from typing import Any, Optional, Tuple

# Classes are known by their identities here, as a metaclass of the suite's may compare in its own way.

#: What is iterated over without code of the suite.
_HELD = frozenset(map(id, (list, tuple, str, bytes, bytearray, range, collections.deque)))
_VIEWS: Tuple[Any, ...] = ({}.keys(), {}.values(), {}.items())
_BOTH_WAYS: Tuple[Any, ...] = ([], (), collections.deque(), *_VIEWS)
#: Texts and ranges have two sorts of iterators.
_ONE_WAY: Tuple[Any, ...] = ("", "é", b"", bytearray(), range(0), range(1 << 70, 1 << 70), set())
_KINDS = frozenset(
    id(type(iterator)) for iterator in (*map(iter, _BOTH_WAYS + _ONE_WAY), *(reversed(held) for held in _BOTH_WAYS))
)


class Left:
    """How much an iterator has left."""

    __slots__ = ("items", "other")

    def __init__(self, iterator: Any) -> None:
        self.items = items_left(iterator)
        #: One that has the same left, if there can be one.
        self.other = copied(iterator)

    def __eq__(self, other: object) -> bool:
        return type(other) is Left and self.items == other.items

    def __str__(self) -> str:
        if self.items == 0:
            return "exhausted"
        return f"{self.items} item{'' if self.items == 1 else 's'} left"


def is_iterator(kind: type) -> bool:
    """Whether objects of this class are looked at."""
    return id(kind) in _KINDS


def items_left(iterator: Any) -> Optional[int]:
    """How many items an iterator has left; nothing if it would ask a sequence of the suite's."""
    if type(iterator) is reversed and id(type(iterator.__reduce__()[1][0])) not in _HELD:
        return None
    return int(iterator.__length_hint__())  # of any size, unlike what :mod:`operator` has for it


def copied(iterator: Any) -> Any:
    """An iterator with as much left; nothing if none can be made, as when a dictionary has grown since it was begun."""
    try:
        make, (held, *more), *index = iterator.__reduce__()
    except RuntimeError:
        return None
    if id(type(held)) not in _HELD:
        return None
    copy = make(held, *more)
    if index and index[0] is not None:
        copy.__setstate__(index[0])
    return copy
