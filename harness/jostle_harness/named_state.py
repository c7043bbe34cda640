"""State that the user has named: an attribute, or what a getter gives and a setter takes.

Unlike all else that is watched, code of the suite is run to read it: that is what the user has asked for. Plain data is
compared by what it holds, any other object by which one it is.
"""

from __future__ import annotations

import collections
import copy
import sys
import types
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from . import limits, messages
from .channel import text
from .places import MISSING, Place, is_a, is_atomic, namespace, show
from .probes import PUT_OFF
from .snapshot import attribute as attribute_of
from .stable import stable

_DICTIONARIES = (dict, collections.OrderedDict, collections.defaultdict, collections.Counter)
_SEQUENCES = (list, collections.deque)


_CHANGES = "it is another each time it is asked for"
_NOT_PLAIN = "it is another object each time it is asked for, and no data of Python's own types"


class Value(NamedTuple):
    """What a place holds."""

    #: The object itself.
    held: Any
    #: A copy of it, if it is plain data; else itself.
    kept: Any
    is_plain: bool
    #: Of plain data each object in it that may change, with a copy of what it holds itself.
    parts: List[Tuple[Any, Any]]

    def is_same(self, other: Value) -> bool:
        """Whether a place that holds this has not changed if it holds another."""
        if self.is_plain and other.is_plain:
            return type(self.kept) is type(other.kept) and bool(self.kept == other.kept)
        return self.held is other.held


class Unread(Exception):
    """A place that cannot be read; the message says why."""


class NamedState:
    """What the places that the user has named hold, as it was when this was made."""

    def __init__(self, named: Sequence[messages.NamedPlace]) -> None:
        self._old: List[Tuple[messages.NamedPlace, Value]] = []
        self._unread: List[str] = []
        for place in named:
            try:
                self._old.append((place, _at_first(place)))
            except Unread as why:
                self._unread.append(stable(text(f"{place['name']}: {why}")))

    def changes(self) -> Iterator[Place]:
        """What differs by now."""
        for place, old in self._old:
            try:
                new = _value(place)
            except Unread as why:
                yield _place(place, old, f"(cannot be read: {why})")
            else:
                if not old.is_same(new):
                    yield _place(place, old, _shown(new))

    def probe(self, name: str) -> Optional[Callable[[], object]]:
        """What gives the value of the place of this name now, if it is one of these."""
        found = next((place for place, _ in self._old if place["name"] == name), None)
        # What an object has itself is told by others, who see as well what it holds.
        return None if found is None or _is_stored(found) else _Probe(found)

    def unread(self) -> List[str]:
        """The places that could not be read at first, each with the reason."""
        return self._unread


class _Probe:
    """Reads a place, but where code of the suite is run for that while its module is under way, which may hold a lock."""

    def __init__(self, place: messages.NamedPlace) -> None:
        self._place = place
        self._modules = {where.partition(":")[0] for where in (place["get"], place["set"]) if where is not None}
        #: Objects whose identities were told, which are to be no other's.
        self._alive: List[Any] = []

    def __call__(self) -> object:
        if self._is_under_way():
            return PUT_OFF
        try:
            value = _value(self._place)
        except Unread as why:
            return str(why)
        if value.is_plain:
            return value.kept
        self._alive.append(value.held)
        return id(value.held)

    def _is_under_way(self) -> bool:
        frame: Optional[types.FrameType] = sys._getframe(1)
        while frame is not None:
            if frame.f_globals.get("__name__") in self._modules:
                return True
            frame = frame.f_back
        return False


def _is_stored(place: messages.NamedPlace) -> bool:
    """Whether a place is an attribute that an object has itself, so that no code is run to read it."""
    if place["is_getter"]:
        return False
    try:
        holder, name = _holder(place["get"], _stored)
    except Unread:
        return False
    return _stored(holder, name) is not MISSING


def _stored(holder: Any, name: str) -> Any:
    """What an object has itself under a name, so that no code is run for it."""
    if is_a(holder, (types.ModuleType, type)):
        return namespace(holder).get(name, MISSING)
    return attribute_of(holder, name)


def _holder(where: str, get: Callable[[Any, str], Any] = getattr) -> Tuple[Any, str]:
    """The object that has an attribute, and its name. Modules are not imported for that."""
    module, _, path = where.partition(":")
    if module not in sys.modules:
        raise Unread(f"the module {module} is not imported")
    *parents, name = path.split(".")
    holder: Any = sys.modules[module]
    for parent in parents:
        holder = get(holder, parent)
    return holder, name


def _value(place: messages.NamedPlace) -> Value:
    """What a place holds now.

    Raises :class:`Unread` whatever keeps it from being read.
    """
    try:
        held = getattr(*_holder(place["get"]))
        held = held() if place["is_getter"] else held
        if not _is_plain(held):
            return Value(held, held, False, [])
        return Value(held, copy.deepcopy(held), True, [(part, copy.copy(part)) for part in _parts(held)])
    except (Unread, KeyboardInterrupt):
        raise
    except BaseException as error:  # a test may be skipped by an exception of that sort
        raise Unread(_told(error)) from None


def _told(error: BaseException) -> str:
    """An exception in one short line."""
    try:
        said = stable(str(error)).replace("\n", " ")
    except Exception:  # its own code is broken
        said = ""
    return f"{type(error).__name__}: {said}"[: limits.TOLD]


def _at_first(place: messages.NamedPlace) -> Value:
    value = _value(place)
    if not value.is_same(_value(place)):
        raise Unread(_CHANGES if value.is_plain else _NOT_PLAIN)
    return value


def _is_plain(value: object, depth: int = 0) -> bool:
    """Whether a value is data of Python's own types, through and through."""
    kind: Any = type(value)
    items: Any = value
    if depth > limits.PLAIN_DEPTH:
        return False
    if kind in _DICTIONARIES:
        return all(is_atomic(key) and _is_plain(item, depth + 1) for key, item in items.items())
    if kind in _SEQUENCES or kind is tuple:
        return all(_is_plain(item, depth + 1) for item in items)
    if kind in (set, frozenset):
        return all(map(is_atomic, items))
    return kind is bytearray or is_atomic(value)


def _parts(value: Any) -> Iterator[Any]:
    """The objects in plain data that may change."""
    kind = type(value)
    if not is_atomic(value) and kind is not tuple:
        yield value
    if kind in _DICTIONARIES:
        value = value.values()
    elif kind not in _SEQUENCES and kind is not tuple:
        return
    for item in list(value):
        yield from _parts(item)


def _place(place: messages.NamedPlace, old: Value, new: str) -> Place:
    restore = _restorer(place, old)
    return Place(place["name"], "global/module state", _shown(old), new, restore, recipe=_recipe(place, old))


def _shown(value: Value) -> str:
    if type(value.kept) in _DICTIONARIES:
        return show(dict(value.kept))
    return show(list(value.kept) if type(value.kept) in _SEQUENCES else value.kept)


def _restorer(place: messages.NamedPlace, old: Value) -> Optional[Callable[[], None]]:
    """What gives a place the very object that it held, with what that held; nothing if nothing can."""
    if place["is_getter"] and place["set"] is None:
        return None

    def restore() -> None:
        for part, items in old.parts:
            _refill(part, items)
        if place["set"] is not None:
            getattr(*_holder(place["set"]))(old.held)
        else:
            holder, name = _holder(place["get"])
            setattr(holder, name, old.held)

    return restore


def _refill(held: Any, items: Any) -> None:
    """Give plain data what it held."""
    kind = type(held)
    if kind in _DICTIONARIES or kind is set:
        held.clear()
        held.update(items)
    elif kind in _SEQUENCES:
        held.clear()
        held.extend(items)
    elif kind is bytearray:
        held[:] = items


def _recipe(place: messages.NamedPlace, old: Value) -> Optional[messages.RestoreRecipe]:
    """What a fixture needs to know to keep a place."""
    module, _, path = place["get"].partition(":")
    kind = type(old.held)
    if not place["is_getter"]:
        name = f"{module}.{path}"
        refilled: Optional[messages.How] = (
            "dict" if kind is dict else "list" if kind is list else "set" if kind is set else None
        )
        if refilled is not None:
            return {"how": refilled, "module": module, "object": name}
        holder, _, attribute = name.rpartition(".")
        return {"how": "attribute", "module": module, "object": holder, "attribute": attribute}
    setter = place["set"]
    if setter is None or setter.partition(":")[0] != module:
        return None
    return {"how": "setting", "module": module, "object": f"{module}.{path}()", "value": setter.replace(":", ".")}
