"""Context variables of the main thread: what they are set to, and how they are set back, to nothing as well."""

from __future__ import annotations

import collections
import contextvars
import re
import sys
import types
from typing import Any, Callable, Dict, Iterator, List, Optional

from .places import MISSING, Place, is_a, namespace, same, show
from .unseen import import_unseen

_Variable = contextvars.ContextVar[Any]


class ContextVariables:
    """What the context variables were set to when this was made."""

    def __init__(self, is_own: Callable[[str], bool], is_runner: Callable[[str], bool]) -> None:
        self._is_own = is_own
        self._is_runner = is_runner
        self._values = dict(contextvars.copy_context())

    def differ(self) -> bool:
        """Whether any differs by now."""
        now = dict(contextvars.copy_context())
        return any(not self._is_same(variable, now) for variable in {**self._values, **now})

    def changes(self) -> Iterator[Place]:
        """What differs by now."""
        now = dict(contextvars.copy_context())
        known = list({**self._values, **now})
        changed = [variable for variable in known if not self._is_same(variable, now)]
        homes = _homes(known)
        names = collections.Counter(_name(variable, homes.get(id(variable), "")) for variable in known)
        for variable in sorted(changed, key=lambda variable: variable.name):
            home = homes.get(id(variable), "")
            if home and self._is_runner(home):
                continue
            old, new = self._values.get(variable, MISSING), now.get(variable, MISSING)
            name = _name(variable, home)
            low_confidence = home != "" and not self._is_own(home)
            # Of several with one name nobody can tell in the next run which it is.
            restore = _putter(variable, old) if names[name] == 1 else None
            yield Place(name, "context variable", _shown(old), _shown(new), restore, low_confidence)

    def probe(self, name: str) -> Optional[Callable[[], object]]:
        """What tells whether the variable of a place's name is set to another value by now."""
        if not name.startswith(_PREFIX):
            return None

        looked_at: Dict[_Variable, bool] = {}

        def probe() -> object:
            context = contextvars.copy_context()
            new = [variable for variable in context if variable not in looked_at]
            if new:  # the place's variable may be set for the first time, and be made then
                homes = _homes(new)
                looked_at.update((variable, _name(variable, homes.get(id(variable), "")) == name) for variable in new)
            return [id(context[variable]) for variable in context if looked_at[variable]]

        return probe

    def _is_same(self, variable: _Variable, now: Dict[_Variable, Any]) -> bool:
        return same(self._values.get(variable, MISSING), now.get(variable, MISSING))


_PREFIX = 'context variable "'


def _name(variable: _Variable, home: str) -> str:
    # Some are named by where an object lies in memory.
    own = re.sub(r"\d{9,}", "…", variable.name)
    return f'{_PREFIX}{own}"' + (f" of {home}" if home else "")


def _shown(value: object) -> str:
    return "(not set)" if value is MISSING else show(value)


def _homes(variables: List[_Variable]) -> Dict[int, str]:
    """The modules that have these, by themselves or in a dictionary; the one with the shortest name of each."""
    wanted = {id(variable) for variable in variables}
    found: Dict[int, str] = {}
    modules = [(name, module) for name, module in list(sys.modules.items()) if is_a(module, types.ModuleType)]
    for name, module in sorted(modules, key=lambda pair: (len(pair[0]), pair[0])):
        for value in list(namespace(module).values()):
            for inner in list(dict.values(value)) if type(value) is dict and len(value) < _MANY else (value,):
                if id(inner) in wanted:
                    found.setdefault(id(inner), name)
    return found


#: Larger dictionaries are not looked into for variables.
_MANY = 1000


def _putter(variable: _Variable, old: Any) -> Optional[Callable[[], None]]:
    if old is MISSING:
        return lambda: _unset(variable)

    def put() -> None:
        variable.set(old)

    return put


def _unset(variable: _Variable) -> None:
    """Go on in a context like this one, but without the variable: there is no other way to unset one."""
    others = contextvars.Context()
    for other, value in contextvars.copy_context().items():
        if other is not variable:
            others.run(other.set, value)
    ctypes: Any = import_unseen("ctypes")
    if ctypes.pythonapi["PyContext_Enter"](ctypes.py_object(others)) != 0:
        raise RuntimeError("the context could not be entered")
