"""Modules that the harness needs and the suite is not to find imported on our account."""

from __future__ import annotations

import contextlib
import dis
import importlib
import importlib.machinery
import sys
from types import ModuleType
from typing import Collection, Dict, Iterator, Optional, Sequence

#: Kept, as another import would make another module, whose types are not those of the first.
_imported: Dict[str, ModuleType] = {}
#: What the harness has imported before the suite, which has not imported it yet.
_hidden: Dict[str, ModuleType] = {}
#: Packages that stay in the table: the harness itself, and what runs it.
_STAY = frozenset(("jostle_harness", "pytest_jostle", "_pytest", "pytest", "pluggy"))


def import_unseen(name: str) -> ModuleType:
    """A module, which is not in ``sys.modules`` afterwards if it was not before."""
    if name in _imported:
        return _imported[name]
    before, hidden = set(sys.modules), dict(_hidden)
    module = importlib.import_module(name)
    _imported[name] = module
    for other in set(sys.modules) - before:
        del sys.modules[other]
    _hidden.update(hidden)
    return module


def hide(before: Collection[str]) -> None:
    """Take out of ``sys.modules`` what has been imported since only these were there. Whoever imports it later gets the very
    module, which is new in the table then, with all that its own import brings."""
    for name in set(sys.modules).difference(before):
        module = sys.modules[name]
        if name.partition(".")[0] not in _STAY and isinstance(getattr(module, "__spec__", None), _SPEC):
            _hidden[name] = sys.modules.pop(name)
    if _hidden and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


@contextlib.contextmanager
def hiding() -> Iterator[None]:
    """Hide what is imported meanwhile, as :func:`hide` does."""
    before = set(sys.modules)
    yield
    hide(before)


_SPEC = importlib.machinery.ModuleSpec


class _Finder:
    """Finds what is hidden, before anything else does."""

    def find_spec(
        self, name: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        """A specification that gives the module as it is."""
        module = _hidden.pop(name, None)
        return None if module is None else _SPEC(name, _Loader(module))  # type: ignore[arg-type]


class _Loader:
    """Gives one module."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._spec = module.__spec__

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """The module itself."""
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing but what the import of others is: the module's own code was run."""
        module.__spec__ = self._spec
        for name in _imports_of(module):
            if name in _hidden:
                importlib.import_module(name)


def _imports_of(module: ModuleType) -> Iterator[str]:
    """What the code of a module imports as it is run, and more: names of which not each is a module."""
    get_code = getattr(module.__loader__, "get_code", None)
    code = None if get_code is None else get_code(module.__name__)
    package = module.__package__ or ""
    name = ""
    for instruction in () if code is None else dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            name = instruction.argval
            yield from (name, f"{package}.{name}" if name else package)
        elif instruction.opname == "IMPORT_FROM":
            yield from (f"{name}.{instruction.argval}", f"{package}.{name}.{instruction.argval}".replace("..", "."))
