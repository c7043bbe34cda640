"""Modules that the harness needs and the suite is not to find imported on our account."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Dict

#: Kept, as another import would make another module, whose types are not those of the first.
_imported: Dict[str, ModuleType] = {}


def import_unseen(name: str) -> ModuleType:
    """A module, which is not in ``sys.modules`` afterwards if it was not before."""
    if name in _imported:
        return _imported[name]
    before = set(sys.modules)
    module = importlib.import_module(name)
    _imported[name] = module
    for other in set(sys.modules) - before:
        del sys.modules[other]
    return module
