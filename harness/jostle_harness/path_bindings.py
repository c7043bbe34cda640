"""The names that a project's modules have for paths: a fixture may give them another value for the length of a test."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
import types
from typing import Callable, Dict, Iterator, List, Tuple, Union

from .messages import PathBinding
from .places import is_a

#: An object that holds names, the expression for it, and the module whose import makes it reachable.
_Owner = Tuple[Union[types.ModuleType, types.FunctionType, type], str, str]


class PathBindings:
    """What names which path now."""

    def __init__(self, is_own: Callable[[str], bool]) -> None:
        self._known: Dict[str, List[PathBinding]] = {}
        for owner, expression, module in _owners(is_own):
            if is_a(owner, types.FunctionType):
                defaults = owner.__defaults__ or ()
                for index, value in enumerate(defaults):
                    held = _held(value, module, expression, "__defaults__")
                    self._add(value, {**held, "index": index, "count": len(defaults)})
                continue
            for name, value in list(vars(owner).items()):
                self._add(value, _held(value, module, expression, name))

    def of(self, path: str) -> List[PathBinding]:
        """The names of a file, or, if there is none, those of the folder it is in."""
        folder, name = os.path.split(path)
        return [{**held, "rest": name} for held in self._known.get(path, [])] or self._known.get(folder, [])

    def _add(self, value: object, held: PathBinding) -> None:
        if type(value) is not str and not is_a(value, pathlib.PurePath):
            return
        text = str(value)
        if len(text) < 2 or len(text) > 1000 or "\0" in text or "\n" in text or held["attribute"].startswith("__file"):
            return
        with contextlib.suppress(OSError):  # a relative path, and the working folder is gone
            self._known.setdefault(os.path.realpath(text), []).append(held)


def _held(value: object, module: str, expression: str, attribute: str) -> PathBinding:
    return {"module": module, "object": expression, "attribute": attribute, "text": type(value) is str}


def _owners(is_own: Callable[[str], bool]) -> Iterator[_Owner]:
    """The project's modules, and the classes and functions that they define."""
    for name, module in sorted(sys.modules.items()):
        if not is_own(name):
            continue
        yield module, name, name
        for attribute, value in list(vars(module).items()):
            if is_a(value, (type, types.FunctionType)) and value.__module__ == name:
                yield value, f"{name}.{attribute}", name
                if is_a(value, type):
                    yield from _methods(value, f"{name}.{attribute}", name)


def _methods(cls: type, expression: str, module: str) -> Iterator[_Owner]:
    for attribute, value in list(vars(cls).items()):
        if is_a(value, types.FunctionType):
            yield value, f"{expression}.{attribute}", module
