"""The shortest path from a module to an object, as a developer would write it.

Paths are looked for backwards, and for all objects at once: each level of objects is gone through once for those that hold
something of the next which is to be named.
"""

from __future__ import annotations

import collections
import functools
import gc
import logging
import re
import sys
import threading
import types
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .file_objects import is_file_object
from .iterators import is_iterator
from .library_state import ANCHORS
from .places import MISSING, home_of, is_a, key_name, names_its_item, namespace
from .snapshot import LOCKS, Node, Sort, attributes, in_slots

_CONTAINERS: Tuple[type, ...] = (dict, list, set, collections.deque, bytearray)
#: Whether the collector lists what is in an object's attributes, and not their dictionary.
_HIDES_DICTIONARIES = sys.version_info >= (3, 13)
#: How many of those that hold an object are looked at for its name.
_HOLDERS = 12
#: Those whose entries are told by their index alone, and how such a step is written.
_SEQUENCES = (list, tuple, collections.deque)
_INDEX = re.compile(r"\[(\d+)\]")
_PRIVATE = re.compile(r"(?:^|\.|\[\")_(?!_)")


class Path(NamedTuple):
    """What leads to an object."""

    text: str
    #: The module whose import makes it reachable, if the text is an expression.
    reach: Optional[str]
    #: Of which object this is the namespace; none if it is an object of its own.
    owner: Any = None
    #: The names of the variables of which this is the closure.
    variables: Tuple[str, ...] = ()

    @property
    def is_namespace(self) -> bool:
        """Whether this is the dictionary of an object's attributes."""
        return self.owner is not None

    @property
    def order(self) -> Tuple[int, int, int, str]:
        """The paths that a developer would rather write come first."""
        steps = self.text.count(".") + self.text.count("[")
        return (len(_PRIVATE.findall(self.text)), steps, len(self.text), self.text)


class Paths:
    """Names objects that are given by their identities, level by level, by the number of steps from a module."""

    def __init__(self, levels: Sequence[Dict[int, Any]]) -> None:
        self._levels = levels
        self._modules: Dict[int, List[str]] = {}
        for name, module in list(sys.modules.items()):
            self._modules.setdefault(id(module), []).append(name)
        #: What is known by a name, whoever else has it.
        self._anchors: Dict[int, str] = {}
        for name in ANCHORS:
            found = holder(name)
            if found is not None:
                self._anchors[id(value_at(*found))] = name

    def of(self, objects: Iterable[Any]) -> Dict[int, Path]:
        """The paths of these objects, by their identities; none for those that only lead to each other."""
        wanted = {id(obj): obj for obj in objects}
        holders = self._holders(wanted)
        found: Dict[int, Path] = {}
        for level in holders:
            for key, (obj, holding) in level.items():
                best = self._absolute(obj)
                if best is None:
                    steps = (step for one in holding for step in _steps(one, found.get(id(one)), obj))
                    best = min(steps, key=lambda path: path.order, default=None)
                if best is not None:
                    found[key] = best
        return found

    def _holders(self, wanted: Dict[int, Any]) -> List[Dict[int, Tuple[Any, List[Any]]]]:
        """For each level the objects of it that are to be named, with what holds them."""
        levels: List[Dict[int, Tuple[Any, List[Any]]]] = []
        searched: Dict[int, Any] = {}
        for at in range(len(self._levels) - 1, -1, -1):
            level = self._levels[at]
            here = {key: level[key] for key in (*wanted, *searched) if key in level}
            found: Dict[int, Tuple[Any, List[Any]]] = {key: (obj, []) for key, obj in here.items()}
            levels.append(found)
            open_keys = {key for key, obj in here.items() if self._absolute(obj) is None}
            searched = {}
            if at == 0 or not open_keys:
                continue
            for holder in self._levels[at - 1].values():
                held = held_by(holder)
                if open_keys.isdisjoint(map(id, held)):
                    continue
                for key in open_keys.intersection(map(id, held)):
                    if len(found[key][1]) < _HOLDERS:
                        found[key][1].append(holder)
                        searched[id(holder)] = holder
        levels.reverse()
        return levels

    def _absolute(self, obj: Any) -> Optional[Path]:
        """The path of what has a name of its own: a module, a class or a function."""
        if is_a(obj, types.ModuleType):
            names = self._modules.get(id(obj), [])
            own = namespace(obj).get("__name__")
            name = (
                own if own in names else min(names, key=lambda name: (name.count("."), len(name), name), default=None)
            )
            return None if name is None else Path(name, name)
        if id(obj) in self._anchors:
            name = self._anchors[id(obj)]
            return Path(name, name.rpartition(".")[0])
        if is_a(obj, logging.Logger):
            logger = _logger(obj)
            if logger is not None:
                return Path(logger, "logging")
        if not is_a(obj, (type, types.FunctionType)):
            return None
        module, name = _named(obj)
        return Path(f"{module}.{name}", module) if _find(module, name) is obj else None


def _logger(logger: logging.Logger) -> Optional[str]:
    """What gives a logger, if :mod:`logging` knows it by its name."""
    if logger is logging.root:
        return "logging.getLogger()"
    name = (attributes(logger) or {}).get("name")
    known = type(name) is str and logging.root.manager.loggerDict.get(name) is logger
    return f'logging.getLogger("{name}")' if known else None


def _named(obj: Any) -> Tuple[str, str]:
    if is_a(obj, type):
        return home_of(obj), type.__dict__["__qualname__"].__get__(obj)
    return str(obj.__module__), obj.__qualname__


def _find(module: str, name: str) -> object:
    """What a module has by a qualified name; nothing if there is no such thing."""
    obj: Any = sys.modules.get(module)
    for part in name.split("."):
        if not is_a(obj, (types.ModuleType, type)):
            return None
        obj = namespace(obj).get(part)
    return obj


def held_by(holder: Any) -> Sequence[Any]:
    """All that an object refers to, as far as it can be named from there."""
    kind = type(holder)
    if kind is types.FunctionType:
        held = (holder.__closure__, holder.__defaults__, holder.__kwdefaults__, holder.__dict__)
        return [part for part in held if part]
    if is_a(holder, (types.ModuleType, threading.local)):
        return (dictionary(holder),)  # what a module of C holds besides has no name
    found = gc.get_referents(holder)
    hidden = attributes(holder) if _HIDES_DICTIONARIES else None
    return found if hidden is None else [*found, hidden]


def dictionary(obj: Any) -> Any:
    """The dictionary itself that holds the attributes of an object, if one does."""
    if is_a(obj, types.ModuleType):
        return namespace(obj)
    return gc.get_referents(namespace(obj))[0] if is_a(obj, type) else attributes(obj)


def _steps(holder: Any, path: Optional[Path], obj: Any) -> Iterator[Path]:
    """The paths to what is held by an object of which the path is known."""
    if path is None:
        return
    kind, text, reach = type(holder), path.text, path.reach
    if is_a(holder, dict):
        if path.is_namespace:
            yield from (Path(f"{text}.{key}", reach) for key, value in list(dict.items(holder)) if value is obj)
            return
        found = attributes(holder)
        if found is obj:
            yield Path(text, reach, holder)
            return
        for key, value in list(dict.items(holder)):
            if value is obj and names_its_item(key):
                yield Path(f"{text}[{key_name(key)}]", reach)
    elif is_a(holder, (list, tuple, collections.deque)):
        for index, value in enumerate(holder if kind in (list, tuple) else list(holder)):
            if value is obj:
                name = (
                    f"variable {path.variables[index]} that {text} encloses" if path.variables else f"{text}[{index}]"
                )
                yield Path(name, None if path.variables else reach)
    elif kind is types.CellType:
        yield Path(text, reach)
    elif kind is types.FunctionType:
        if obj is holder.__closure__:
            yield Path(text, reach, variables=holder.__code__.co_freevars)
        elif obj is holder.__defaults__:
            yield Path(f"{text}.__defaults__", reach)
        elif obj is holder.__kwdefaults__:
            yield Path(f"{text}.__kwdefaults__", reach)
        else:
            yield Path(text, reach, holder)
    elif is_a(holder, threading.local) or is_a(holder, (type, types.ModuleType)):
        if obj is dictionary(holder):
            yield Path(text, reach, holder)
    elif kind in _MEMBERS:
        yield from (Path(f"{text}.{name}", reach) for name in _MEMBERS[kind] if getattr(holder, name) is obj)
    elif attributes(holder) is obj:
        yield Path(text, reach, holder)
    else:
        # The collector may list what the attributes hold, and not their dictionary.
        named = {**in_slots(holder), **(attributes(holder) or {})}
        yield from (Path(f"{text}.{name}", reach) for name, value in named.items() if value is obj)


#: What leads on from objects of Python's own types.
_MEMBERS: Dict[type, Tuple[str, ...]] = {
    types.MethodType: ("__self__", "__func__"),
    functools.partial: ("func", "args", "keywords"),
    property: ("fget", "fset"),
    classmethod: ("__func__",),
    staticmethod: ("__func__",),
}


def holder(name: str) -> Optional[Tuple[Node, str]]:
    """The object that has a place of this name, and the step from there; none if no module leads to one."""
    logger = re.match(r'logging\.getLogger\((?:"(.*?)")?\)', name)
    if logger is not None:
        known = logging.root.manager.loggerDict.get(logger.group(1)) if logger.group(1) else logging.root
        return None if known is None else _walk(known, logger.group(), name[logger.end() :])
    module = name
    while module not in sys.modules:
        module, dot, _ = module.rpartition(".")
        if not dot:
            return None
    return _walk(sys.modules[module], module, name[len(module) :])


def _walk(obj: Any, path: str, rest: str) -> Optional[Tuple[Node, str]]:
    while rest:
        step, inner = _next(obj, rest)
        if step == rest or inner is MISSING:
            sort: Sort = "items" if rest.startswith("[") else "attributes"
            return Node(obj, path, sort, {}, True, None), rest
        obj, path, rest = inner, path + step, rest[len(step) :]
    return None


def value_at(node: Node, step: str) -> Any:
    """What an object holds at a step; nothing if that is not there."""
    if type(node.obj) in _SEQUENCES and step.startswith("["):
        found, value = _entry(node.obj, step)
        return value if found == step else None
    return next((value for of, value in _all_steps(node.obj, step[:1]) if of == step), None) if step else None


def held(node: Node, step: str) -> Any:
    """What may change itself of what an object holds at a step; nothing if that may not, or is not there."""
    inner = value_at(node, step)
    kind = type(inner)
    changes = is_a(inner, _CONTAINERS) or kind in LOCKS or hasattr(kind, "cache_info")
    return inner if changes or is_file_object(kind) or is_iterator(kind) else None


def slot(obj: object, name: str) -> Optional[Tuple[Node, Any]]:
    """What holds the object of this name, and under which key; nothing if it is no attribute and no dictionary's."""
    found = holder(name)
    if found is None or value_at(*found) is not obj:
        return None
    node, step = found
    if step.startswith("."):
        return node, step[1:]
    keys = dict.keys(node.obj) if is_a(node.obj, dict) else ()
    return next(((node, key) for key in keys if f"[{key_name(key)}]" == step), None)


def _next(obj: Any, rest: str) -> Tuple[str, Any]:
    """The longest step from an object that a path may begin with, and what it leads to."""
    if type(obj) in _SEQUENCES and rest.startswith("["):
        step, value = _entry(obj, rest)
        return (step, value) if step and _begins(rest, step) else ("", MISSING)
    found = [(step, value) for step, value in _all_steps(obj, rest[0]) if _begins(rest, step)]
    return max(found, key=lambda pair: len(pair[0]), default=("", MISSING))


def _entry(obj: Any, rest: str) -> Tuple[str, Any]:
    """The entry of a sequence that a path leads to first: its steps are known without looking at all of them."""
    index = _INDEX.match(rest)
    if index is None or int(index.group(1)) >= len(obj):
        return "", MISSING
    return index.group(), obj[int(index.group(1))]


def _begins(rest: str, step: str) -> bool:
    return rest.startswith(step) and (len(rest) == len(step) or rest[len(step)] in ".[")


def _all_steps(obj: Any, sort: str) -> Iterator[Tuple[str, Any]]:
    if sort == "[" and is_a(obj, dict):
        yield from ((f"[{key_name(key)}]", value) for key, value in list(dict.items(obj)))
    elif sort == "[" and is_a(obj, (list, tuple, collections.deque)):
        yield from ((f"[{index}]", value) for index, value in enumerate(obj))
    elif sort == "." and is_a(obj, (type, types.ModuleType, types.FunctionType)):
        yield from ((f".{key}", value) for key, value in list(namespace(obj).items()))
        if is_a(obj, types.FunctionType):
            yield from ((f".{name}", getattr(obj, name)) for name in ("__defaults__", "__kwdefaults__"))
    elif sort == ".":
        held = {**in_slots(obj), **(attributes(obj) or {})}
        yield from ((f".{key}", value) for key, value in held.items())
        if type(obj) in _MEMBERS:
            yield from ((f".{name}", getattr(obj, name)) for name in _MEMBERS[type(obj)])
