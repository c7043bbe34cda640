"""The garbage collector, held back while the harness makes many objects: a test may wait for a collection, or fail by it."""

from __future__ import annotations

import contextlib
import gc
from typing import Iterator, List

#: Whether it is to be on once it is not held back any more, as long as it is.
_held_back: List[bool] = []


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


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Nothing is collected meanwhile unless that is asked for."""
    _held_back.append(is_on())
    gc.disable()
    try:
        yield
    finally:
        on = _held_back.pop()
        turn(on)
