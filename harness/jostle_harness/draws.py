"""The generators that a suite draws from without making one: as plain pytest would have them.

Where the suite seeds one (while it is imported, in a hook, by a plugin), what it has set stays. A generator that nobody
has seeded starts from the plan's seed, where plain pytest's would start from anything. Which of both it is, its state
tells: what it gives next stands in the row that it would have given from its start, unless somebody has seeded it.
"""

from __future__ import annotations

import contextlib
import random
import sys
import types
from typing import Any, Mapping, Optional, Tuple

from . import limits

_Words = Tuple[int, ...]
#: What :func:`random.getstate` returns: a version, the words, and what is left of a pair of Gaussian numbers.
_State = Tuple[Any, ...]


class Draws:
    """Seeds what the suite leaves to chance."""

    def __init__(self, seed: int) -> None:
        # A text that no suite seeds with: what the suite has set is not taken for this.
        random.seed(f"jostle {seed}")
        self._start = random.getstate()[1]
        #: The state that the suite has set, or nothing if it left that to chance; and whether it left numpy's.
        self._found: Optional[Tuple[Optional[_State], bool]] = None

    def look(self) -> Tuple[Optional[_State], bool]:
        """Find out, once, what the suite has set. Collection is over by now."""
        if self._found is None:
            state = random.getstate()
            untouched = state[0] == random.Random.VERSION and _leads_to(self._start, state[1])
            mtrand = _mtrand()
            self._found = None if untouched else state, mtrand is not None and not _is_seeded(mtrand)
        return self._found

    def settle(self, seed: int) -> None:
        """Take the plan's seed for each generator that was left to chance."""
        state, of_numpy = self.look()
        if state is None:
            random.seed(seed)
        else:
            random.setstate(state)  # a fork has lost it: Python seeds its generator anew there
        if of_numpy:
            _mtrand().seed(seed)


def _mtrand() -> Any:
    """The module that holds numpy's own generator, if numpy was imported, and not put on."""
    if isinstance(sys.modules.get("numpy"), types.ModuleType):
        with contextlib.suppress(AttributeError):  # a module that only bears the name
            _ = sys.modules["numpy"].random  # is imported when it is first asked for
    return sys.modules.get("numpy.random.mtrand")


def _leads_to(start: _Words, end: _Words) -> bool:
    """Whether there are only draws between two states of a Mersenne Twister, each its words and a position."""
    following = _twister(end).randbytes(limits.TELLING_BYTES)
    return any(
        following in _twister(start).randbytes(4 * draws + limits.TELLING_BYTES)
        for draws in (limits.FEW_DRAWS, limits.MOST_DRAWS)
    )


def _twister(words: _Words) -> random.Random:
    twister = random.Random()
    twister.setstate((random.Random.VERSION, words, None))
    return twister


def _is_seeded(mtrand: Any) -> bool:
    """Whether somebody has seeded numpy's own generator, which starts from what the system gives."""
    bits = mtrand._rand._bit_generator
    sequence = getattr(bits, "_seed_seq", None)
    if sequence is None or type(bits).__name__ != "MT19937":
        return True
    start, end = (_words(generator.state["state"]) for generator in (type(bits)(sequence), bits))
    return not _leads_to(start, end)


def _words(state: Mapping[str, Any]) -> _Words:
    """The state of numpy's Mersenne Twister as Python's own has it."""
    return (*map(int, state["key"]), int(state["pos"]))
