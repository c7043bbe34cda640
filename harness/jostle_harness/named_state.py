"""State that the user has named: an attribute, or what a getter gives and a setter takes.

Unlike all else that is watched, code of the suite is run to read it: that is what the user has asked for. Plain data is
compared by what it holds, any other object by which one it is.
"""

from __future__ import annotations

import collections
import copy
import dis
import sys
import types
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from . import limits, messages
from .channel import text
from .places import Place, is_atomic, show
from .stable import stable

_DICTIONARIES = (dict, collections.OrderedDict, collections.defaultdict, collections.Counter)
_SEQUENCES = (list, collections.deque)


class Value(NamedTuple):
    """What a place holds."""

    #: The object itself.
    held: Any
    #: A copy of it, if it is plain data; else itself.
    kept: Any
    is_plain: bool

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
        return None if found is None else _Probe(found)

    def unread(self) -> List[str]:
        """The places that could not be read at first, each with the reason."""
        return self._unread


class _Probe:
    """Reads a place where nothing of its module is under way, which may hold a lock that the getter waits for."""

    def __init__(self, place: messages.NamedPlace) -> None:
        self._place = place
        self._modules = {where.partition(":")[0] for where in (place["get"], place["set"]) if where is not None}
        self._last: object = None
        #: Objects whose identities were told, which are to be no other's.
        self._alive: List[Any] = []

    def __call__(self) -> object:
        if not self._is_under_way():
            self._last = self._read()
        return self._last

    def _read(self) -> object:
        try:
            value = _value(self._place)
        except Unread as why:
            return str(why)
        if value.is_plain:
            return value.kept
        self._alive.append(value.held)
        return id(value.held)

    def _is_under_way(self) -> bool:
        frame = sys._getframe(2)
        inner: Optional[types.FrameType] = frame
        while inner is not None:
            if inner.f_globals.get("__name__") in self._modules and not _returns(inner):
                return True
            inner = inner.f_back
        return False


def _returns(frame: types.FrameType) -> bool:
    """Whether a frame has nothing left to do but to return, and so has let go of what it held."""
    code = frame.f_code.co_code
    return 0 <= frame.f_lasti < len(code) and dis.opname[code[frame.f_lasti]].startswith("RETURN_")


def _holder(where: str) -> Tuple[Any, str]:
    """The object that has an attribute, and its name. Modules are not imported for that."""
    module, _, path = where.partition(":")
    if module not in sys.modules:
        raise Unread(f"the module {module} is not imported")
    *parents, name = path.split(".")
    holder: Any = sys.modules[module]
    for parent in parents:
        holder = getattr(holder, parent)
    return holder, name


def _value(place: messages.NamedPlace) -> Value:
    """What a place holds now.

    Raises :class:`Unread` whatever keeps it from being read.
    """
    try:
        held = getattr(*_holder(place["get"]))
        held = held() if place["is_getter"] else held
        is_plain = _is_plain(held)
        return Value(held, copy.deepcopy(held) if is_plain else held, is_plain)
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
        raise Unread("it is another object each time it is asked for, and no plain data")
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
        if old.is_plain:
            _refill(old.held, copy.deepcopy(old.kept))
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
