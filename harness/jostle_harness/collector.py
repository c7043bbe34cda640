"""The garbage collector, held back while the harness makes many objects: a test may wait for a collection, or fail by it."""

from __future__ import annotations

import contextlib
import gc
from typing import Iterator, List

from . import limits

#: Whether it is to be on once it is not held back any more, as long as it is.
_held_back: List[bool] = []


class _Spare:
    """An object whose only use is to be freed: Python keeps none of its kind back for the next one."""

    __slots__ = ("it",)


_spare: List[_Spare] = []


def is_on() -> bool:
    """Whether the collector runs by itself, or does once it is not held back."""
    return _held_back[-1] if _held_back else gc.isenabled()


def turn(on: bool) -> None:
    """Have it run by itself or not, once it is not held back."""
    if _held_back:
        _held_back[-1] = on
    elif on:
        gc.enable()
    else:
        gc.disable()


def provide() -> None:
    """Have objects to spare, before the first test that matters: to make them may start a collection."""
    _spare.extend(_Spare() for _ in range(limits.SPARE_OBJECTS - len(_spare)))


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Nothing is collected meanwhile unless that is asked for, nor afterwards for what was made meanwhile.

    Python collects the youngest objects once more were made than freed since the last time, by a number. What is made and
    kept meanwhile would count, so that as many of those to spare are freed.
    """
    _held_back.append(is_on())
    gc.disable()
    made = gc.get_count()[0]
    try:
        yield
    finally:
        more = gc.get_count()[0] - made
        if more > 0:
            del _spare[-more:]
        on = _held_back.pop()
        turn(on)
