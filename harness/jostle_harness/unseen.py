"""Modules that the harness needs and the suite is not to find imported on our account."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType


def import_unseen(name: str) -> ModuleType:
    """A module, which is not in ``sys.modules`` afterwards if it was not before."""
    before = set(sys.modules)
    module = importlib.import_module(name)
    for other in set(sys.modules) - before:
        del sys.modules[other]
    return module
