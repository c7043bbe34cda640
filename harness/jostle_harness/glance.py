"""Whether objects hold others than before, told at little cost: all that they refer to is compared by identity, many at a time.

It says where to look closely, and no more: an object whose chunk was touched may hold what it held.
"""

from __future__ import annotations

import gc
import operator
from typing import Any, List, Tuple

from . import limits


class Glance:
    """What objects refer to, as it was when each was added or last found changed."""

    def __init__(self) -> None:
        #: Objects, by where they stand in the list of whoever asks, and what all of them refer to.
        self._chunks: List[Tuple[List[int], List[Any], List[Any]]] = []

    def add(self, numbered: List[Tuple[int, Any]]) -> None:
        """Note what these refer to."""
        for at in range(0, len(numbered), limits.GLANCED_AT_ONCE):
            part = numbered[at : at + limits.GLANCED_AT_ONCE]
            objects = [obj for _, obj in part]
            self._chunks.append(([number for number, _ in part], objects, gc.get_referents(*objects)))

    def touched(self) -> List[int]:
        """The numbers of objects of which one or more refer to others by now, which is noted."""
        found: List[int] = []
        for at, (numbers, objects, old) in enumerate(self._chunks):
            now = gc.get_referents(*objects)
            if len(now) != len(old) or not all(map(operator.is_, now, old)):
                found += numbers
                self._chunks[at] = (numbers, objects, now)
        return found
