"""The parts of the harness that not every process needs: starts do without them, and so do the modules that tests see.

Whoever needs one has it imported before the suite is, which may change how modules are found; forks find all of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import List

from .channel import Setup
from .messages import Instructions


def needed(setup: Setup) -> List[str]:
    """The names of those that a process with this setup needs."""
    if setup.purpose == "serve":
        return ["admitted", "explain", "leaks", "readers", "watch", "checkpoint", "zygote"]
    if setup.purpose == "collect":
        return ["admitted"]
    explain = [] if setup.explain is None else [_explaining(setup.explain)]
    return explain + ([] if setup.watch is None else ["watch"])


def _explaining(instructions: Instructions) -> str:
    if instructions["readers"]:
        return "readers"
    return "leaks" if instructions["left"] else "explain"


def import_needed(setup: Setup) -> None:
    """Import those that a process with this setup needs."""
    for name in needed(setup):
        import_module(f"{__package__}.{name}")
