"""State that the user has named: an attribute, or what a getter gives and a setter takes.

Unlike all else that is watched, code of the suite is run to read it: that is what the user has asked for. Plain data is
compared by what it holds, any other object by which one it is.
"""

from __future__ import annotations

import copy
import sys
from typing import Any, Callable, List, Optional, Sequence, Tuple

from . import messages
from .channel import text
from .places import MISSING, Place, is_atomic, same, show


class NamedState:
    """What the places that the user has named hold, as it was when this was made."""

    def __init__(self, named: Sequence[messages.NamedPlace]) -> None:
        self._named = named
        self._old = [_kept(_value(place)) for place in named]

    def changes(self) -> List[Place]:
        """What differs by now."""
        return [
            Place(
                place["name"], "global/module state", show(old), show(new), _restorer(place, old), recipe=_recipe(place)
            )
            for place, old, new in zip(self._named, self._old, map(_value, self._named))
            if not _is_same(old, new)
        ]

    def probe(self, name: str) -> Optional[Callable[[], object]]:
        """What gives the value of the place of this name now, if it is one of these."""
        place = next((place for place in self._named if place["name"] == name), None)
        if place is None:
            return None
        found = place
        return lambda: _kept(_value(found))

    def unread(self) -> List[str]:
        """The places that can be read neither before nor now, each with the reason."""
        found = zip(self._named, self._old)
        return [
            text(f"{place['name']}: {_problem(place)}") for place, old in found if old is MISSING and _problem(place)
        ]


def _holder(where: str) -> Tuple[Any, str]:
    """The object that has an attribute, and its name. Modules are not imported for that."""
    module, _, path = where.partition(":")
    if module not in sys.modules:
        raise LookupError(f"the module {module} is not imported")
    *parents, name = path.split(".")
    holder: Any = sys.modules[module]
    for parent in parents:
        holder = getattr(holder, parent)
    return holder, name


def _read(place: messages.NamedPlace) -> Any:
    value = getattr(*_holder(place["get"]))
    return value() if place["is_getter"] else value


def _value(place: messages.NamedPlace) -> Any:
    try:
        return _read(place)
    except Exception:  # it is told by `unread`, if it stays so
        return MISSING


def _problem(place: messages.NamedPlace) -> Optional[str]:
    """Why a place cannot be read; nothing if it can."""
    try:
        _read(place)
    except LookupError as error:
        return str(error.args[0] if error.args else error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def _is_plain(value: object) -> bool:
    """Whether a value is data of Python's own types, through and through."""
    kind = type(value)
    if kind is dict:
        return all(is_atomic(key) and _is_plain(item) for key, item in value.items())  # type: ignore[attr-defined]
    if kind in (list, tuple):
        return all(map(_is_plain, value))  # type: ignore[call-overload]
    return is_atomic(value) or kind is set and all(map(is_atomic, value))  # type: ignore[call-overload]


def _kept(value: Any) -> Any:
    """A value that stays as it is now."""
    return copy.deepcopy(value) if _is_plain(value) else value


def _is_same(old: Any, new: Any) -> bool:
    return same(old, new) or type(old) is type(new) and _is_plain(old) and _is_plain(new) and bool(old == new)


def _restorer(place: messages.NamedPlace, old: Any) -> Optional[Callable[[], None]]:
    """What gives a place the value that it had; nothing if nothing can."""
    if old is MISSING or place["is_getter"] and place["set"] is None:
        return None

    def restore() -> None:
        value = _kept(old)
        if place["set"] is not None:
            getattr(*_holder(place["set"]))(value)
            return
        holder, name = _holder(place["get"])
        now: Any = getattr(holder, name, MISSING)
        if type(now) is type(value) and type(value) in (dict, set):
            now.clear()
            now.update(value)
        elif type(now) is list and type(value) is list:
            now[:] = value
        else:
            setattr(holder, name, value)

    return restore


def _recipe(place: messages.NamedPlace) -> Optional[messages.RestoreRecipe]:
    """What a fixture needs to know to keep a place."""
    module, _, path = place["get"].partition(":")
    if not place["is_getter"]:
        parents, _, name = path.rpartition(".")
        holder = f"{module}.{parents}" if parents else module
        attribute: messages.RestoreRecipe = {"how": "attribute", "module": module, "object": holder, "attribute": name}
        return attribute
    setter = place["set"]
    if setter is None or setter.partition(":")[0] != module:
        return None
    getter = f"{module}.{path}()"
    recipe: messages.RestoreRecipe = {
        "how": "setting",
        "module": module,
        "object": getter,
        "value": setter.replace(":", "."),
    }
    return recipe
