"""Python's own iterators over what it holds: how far one is, and another that is as far.

Nothing is taken from an iterator for it. It cannot be put back in place, so that another takes its place.
"""

from __future__ import annotations

import collections
import functools
from typing import Any, Callable, Optional, Tuple

from . import limits

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
#: Those that list what they have left, to tell what that is.
_LISTING = frozenset(id(type(iterator)) for iterator in (*map(iter, (*_VIEWS, set())), *map(reversed, _VIEWS)))
#: What begins an iteration, unless a test has put another in its place.
_MAKERS = frozenset(map(id, (iter, reversed, *(type(make(collections.deque())) for make in (iter, reversed)))))


class Left:
    """How far an iterator is, and how much it has left."""

    __slots__ = ("again", "goes_on", "held", "index", "is_cut_off", "items")

    def __init__(self, iterator: Any) -> None:
        #: Nothing if the suite's own sequence would have to be asked.
        self.items = items_left(iterator)
        #: What it iterates over, and where in that it is, as far as it tells.
        self.held: object = None
        self.index: Optional[int] = None
        #: Makes another that is as far, if there can be one.
        self.again: Optional[Callable[[], Any]] = None
        #: Whether the next item can be had.
        self.goes_on = True
        #: Whether more is left than would be listed.
        self.is_cut_off = id(type(iterator)) in _LISTING and (self.items or 0) > limits.ENTRIES_OF_ONE
        if self.is_cut_off:
            return
        try:
            make, held, self.index = _parts(iterator)
        except RuntimeError:  # a dictionary or a set that has grown since it was begun
            self.goes_on = False
            return
        self.held = held[0]
        if id(type(self.held)) in _HELD and id(make) in _MAKERS:
            self.again = functools.partial(_made, make, held, self.index)

    def __eq__(self, other: object) -> bool:
        if type(other) is not Left or self.goes_on != other.goes_on:
            return False
        if not self.goes_on or self.items is None or other.items is None:
            return True
        if self.held is other.held and self.index is not None and other.index is not None:
            return self.index == other.index  # what is iterated over may have grown
        return self.items == other.items

    def __str__(self) -> str:
        if not self.goes_on:
            return "cannot go on: what it iterates over has changed"
        if self.items is None:
            return "how many items are left is not known"
        if self.items == 0:
            return "exhausted"
        return f"{self.items} item{'' if self.items == 1 else 's'} left"


def is_iterator(kind: type) -> bool:
    """Whether objects of this class are looked at."""
    return id(kind) in _KINDS


def items_left(iterator: Any) -> Optional[int]:
    """How many items an iterator has left; nothing if it would ask a sequence of the suite's."""
    if type(iterator) is reversed and id(type(_parts(iterator)[1][0])) not in _HELD:
        return None
    return int(iterator.__length_hint__())  # of any size, unlike what :mod:`operator` has for it


def how_far(iterator: Any) -> Tuple[Optional[int], Optional[int]]:
    """What is another once an iterator has gone on, and is told without a list of what is left."""
    index = None if id(type(iterator)) in _LISTING else _parts(iterator)[2]
    return (index, items_left(iterator) if index is None else None)


def shown(old: Left, now: Left) -> Tuple[str, str]:
    """How much was left and is left, and where that begins if it is as much."""
    if str(old) != str(now):
        return str(old), str(now)
    return f"{old} from index {old.index} on", f"{now} from index {now.index} on"


def _parts(iterator: Any) -> Tuple[Any, Tuple[Any, ...], Optional[int]]:
    """What makes an iterator of what, and where that is to begin, if it is told."""
    make, held, *index = iterator.__reduce__()
    return make, held, index[0] if index else None


def _made(make: Any, held: Tuple[Any, ...], index: Optional[int]) -> Any:
    iterator = make(*held)
    if index is not None:
        iterator.__setstate__(index)
    return iterator
