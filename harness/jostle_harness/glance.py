"""Whether objects hold others than before, told at little cost: all that they refer to is compared by identity, many at a time.

It says where to look closely, and no more: that others are referred to is seen, and not under which key.
"""

from __future__ import annotations

import gc
import itertools
import operator
from typing import Any, List, NamedTuple, Tuple

from . import limits


class _Chunk(NamedTuple):
    """Objects that are compared at once."""

    #: Where each stands in the list of whoever asks.
    numbers: List[int]
    objects: List[Any]
    #: What all of them refer to, one after the other, and how much of it is of each.
    held: List[Any]
    sizes: List[int]


class Glance:
    """What objects refer to, as it was when each was added or last found changed."""

    def __init__(self) -> None:
        self._chunks: List[_Chunk] = []

    def add(self, numbered: List[Tuple[int, Any]]) -> None:
        """Note what these refer to."""
        for at in range(0, len(numbered), limits.GLANCED_AT_ONCE):
            part = numbered[at : at + limits.GLANCED_AT_ONCE]
            self._chunks.append(_chunk([number for number, _ in part], [obj for _, obj in part]))

    def touched(self) -> List[int]:
        """The numbers of objects that refer to others by now, which is noted."""
        found: List[int] = []
        for at, chunk in enumerate(self._chunks):
            if _same(gc.get_referents(*chunk.objects), chunk.held):
                continue
            self._chunks[at] = _chunk(chunk.numbers, chunk.objects)
            end = 0
            for number, obj, size in zip(chunk.numbers, chunk.objects, chunk.sizes):
                start, end = end, end + size
                if not _same(gc.get_referents(obj), chunk.held[start:end]):
                    found.append(number)
        return found


def _chunk(numbers: List[int], objects: List[Any]) -> _Chunk:
    held = [gc.get_referents(obj) for obj in objects]
    return _Chunk(numbers, objects, list(itertools.chain.from_iterable(held)), list(map(len, held)))


def _same(one: List[Any], other: List[Any]) -> bool:
    return len(one) == len(other) and all(map(operator.is_, one, other))
