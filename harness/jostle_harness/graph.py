"""The project's objects: module globals, class attributes and what they hold, as a graph of mutable objects.

Each mutable object is noted once, under the first and so the shortest path that leads to it, with a shallow copy of what
it held. A change is found, and undone, in that very object, so that everybody who holds it sees it restored.
"""

from __future__ import annotations

import collections
import itertools
import random
import re
import sys
import threading
import time
import types
from typing import Any, Callable, Deque, Dict, Iterator, List, Optional, Tuple

from .places import MISSING, Place, is_mock, key_name, same, show

_NODES = 30_000
_SECONDS = 2.0
_DEPTH = 7
_CHILDREN = 300
#: Keys of one dictionary that are named one by one; more are one place.
_KEYS = 8
_FOREIGN = ("_pytest", "pytest", "pluggy", "jostle_harness", "xdist", "importlib", "logging", "_frozen_importlib")
_LOCKS = (type(threading.Lock()), type(threading.RLock()))
_OF_CLASS = re.compile(
    "__(dict|weakref|doc|module|annotations|annotate|annotate_func|annotations_cache|static_attributes|firstlineno|"
    "parameters|orig_bases|abstractmethods|qualname|name)__|_abc_impl|_abc_"
)
_OF_MODULE = re.compile(r"__\w+__$|@py_builtins|@pytest_ar|pytestmark$")


class Node:
    """A mutable object and what it held."""

    __slots__ = ("foreign", "obj", "path", "reach", "rebind", "sort", "state", "weak")

    def __init__(self, obj: Any, path: str, sort: str, state: Any, weak: bool, reach: Optional[str]) -> None:
        self.obj = obj
        self.path = path
        #: ``attributes``, ``items``, ``whole``
        self.sort = sort
        self.state = state
        self.weak = weak
        #: The module that an import brings, if the path is an expression in it.
        self.reach = reach
        #: Binds another object in its stead, for what cannot be changed in place.
        self.rebind: Optional[Callable[[Any], None]] = None
        #: Whether its attributes are the business of a class that is not the project's.
        self.foreign = False


class Graph:
    """What is reachable from the roots, as it was when each object was first seen."""

    def __init__(self, is_own: Callable[[str], bool]) -> None:
        self._is_own = is_own
        self._nodes: Dict[int, Node] = {}
        self._queue: Deque[Tuple[Any, str, int, bool, Optional[str], Optional[Callable[[Any], None]]]] = (
            collections.deque()
        )
        #: Whether there was more than could be looked at.
        self.is_cut_off = False

    def add_module(self, name: str, module: types.ModuleType) -> None:
        """A module of the project; its globals are looked into."""
        self._note(module, name, "attributes", False, name)
        for attribute, value in list(vars(module).items()):
            if not _OF_MODULE.match(attribute):
                rebind = _binder(module, "attributes", attribute)
                self._queue.append((value, f"{name}.{attribute}", 1, False, name, rebind))

    def add_foreign(self, name: str, namespace: Any) -> None:
        """A module or class of others; only what its names are bound to is noted."""
        if id(namespace) not in self._nodes:
            self._note(namespace, name, "attributes", True, name)

    def add_value(self, path: str, value: Any) -> None:
        """A value that no module may hold, such as a fixture's."""
        self._queue.append((value, path, 1, False, None, None))

    def walk(self) -> None:
        """Look into everything that is waiting."""
        end = time.perf_counter() + _SECONDS
        while self._queue:
            if len(self._nodes) >= _NODES or time.perf_counter() > end:
                self.is_cut_off = True
                self._queue.clear()
                return
            self._visit(*self._queue.popleft())

    def _note(self, obj: Any, path: str, sort: str, weak: bool, reach: Optional[str]) -> Node:
        node = Node(obj, path, sort, _read(obj, sort), weak, reach)
        self._nodes[id(obj)] = node
        return node

    def _visit(
        self, obj: Any, path: str, depth: int, weak: bool, reach: Optional[str], rebind: Optional[Callable[[Any], None]]
    ) -> None:
        kind = type(obj)
        if kind in (int, str, float, bool, bytes, type(None)) or id(obj) in self._nodes or depth > _DEPTH:
            return
        if kind in (staticmethod, classmethod):
            obj, kind = obj.__func__, type(obj.__func__)
        if kind in (tuple, frozenset):
            for index, item in enumerate(itertools.islice(obj, _CHILDREN)):
                self._queue.append((item, f"{path}[{index}]", depth + 1, weak, reach, None))
            return
        if isinstance(obj, type):
            if self._is_own(obj.__module__):
                self._class(obj)
            return
        if kind is types.FunctionType:
            self._function(obj, depth)
            return
        sort = _sort(obj)
        if sort is None:
            return
        node = self._note(obj, path, sort, weak, reach)
        node.rebind = rebind
        foreign = not self._is_own(str(kind.__module__)) and kind.__module__ != "builtins"
        node.foreign = foreign
        if sort == "attributes":
            for name, value in list(node.state.items())[:_CHILDREN]:
                hidden = weak or (foreign and name.startswith("_"))
                binder = _binder(obj, sort, name)
                self._queue.append((value, f"{path}.{name}", depth + 1, hidden, reach, binder))
        elif sort == "items":
            for key, value in list(node.state.items())[:_CHILDREN]:
                binder = _binder(obj, sort, key)
                self._queue.append((value, f"{path}[{key_name(key)}]", depth + 1, weak, reach, binder))
        elif isinstance(obj, (list, collections.deque)):
            for index, value in enumerate(node.state[:_CHILDREN]):
                self._queue.append((value, f"{path}[{index}]", depth + 1, weak, reach, None))

    def _class(self, cls: type) -> None:
        name = f"{cls.__module__}.{cls.__qualname__}"
        node = self._note(cls, name, "attributes", False, None if "<locals>" in name else cls.__module__)
        for attribute, value in list(node.state.items()):
            binder = _binder(cls, "attributes", attribute)
            self._queue.append((value, f"{name}.{attribute}", 2, False, node.reach, binder))

    def _function(self, function: types.FunctionType, depth: int) -> None:
        wrapped = vars(function).get("__wrapped__")
        if not self._is_own(function.__module__ or ""):
            if wrapped is not None:
                self._queue.append((wrapped, "", depth, False, None, None))
            return
        name = f"{function.__module__}.{function.__qualname__}"
        self._note(function, name, "attributes", False, function.__module__)
        code = function.__code__
        defaults = function.__defaults__ or ()
        names = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
        named = list(zip(names, defaults)) + list((function.__kwdefaults__ or {}).items())
        for argument, value in named:
            self._queue.append((value, f"default argument {argument} of {name}", depth + 1, False, None, None))
        for variable, cell in zip(code.co_freevars, function.__closure__ or ()):
            try:
                value = cell.cell_contents
            except ValueError:  # not bound yet
                continue
            binder = _cell_binder(cell)
            path = f"variable {variable} that {name} encloses"
            self._note(cell, path, "whole", False, None)
            self._queue.append((value, path, depth + 1, False, None, binder))
        for attribute, value in list(vars(function).items()):
            self._queue.append((value, f"{name}.{attribute}", depth + 1, False, function.__module__, None))

    def holder(self, name: str) -> Optional[Node]:
        """The object that has a place of this name, or is it."""
        best: Optional[Node] = None
        for node in self._nodes.values():
            path = node.path
            leads = name.startswith(path) and (len(name) == len(path) or name[len(path)] in ".[")
            if leads and (best is None or len(path) > len(best.path)):
                best = node
        return best

    def changes(self) -> Iterator[Place]:
        """What differs from what was noted."""
        for node in list(self._nodes.values()):
            now = _read_again(node)
            if now is None:
                continue
            if node.sort == "whole":
                if now != node.state if _is_plain(node.obj) else not _same_list(node.state, now):
                    yield _whole_place(node, now)
                continue
            yield from _slot_places(node, now)


def _sort(obj: Any) -> Optional[str]:
    """How an object is read; nothing if it is not looked into."""
    kind = type(obj)
    if isinstance(obj, dict):
        return "items"
    if isinstance(obj, (list, set, bytearray, collections.deque, random.Random)) or kind in _LOCKS:
        return "whole"
    if hasattr(kind, "cache_clear") and hasattr(kind, "cache_info"):
        return "whole"
    if kind is itertools.count or kind is types.GeneratorType:
        return "whole"
    module = str(kind.__module__)
    if isinstance(obj, types.ModuleType) or module.split(".")[0] in _FOREIGN or module == "os":
        return None
    return "attributes" if _attributes(obj) is not None else None


def _attributes(obj: Any) -> Optional[Dict[str, Any]]:
    try:
        found = object.__getattribute__(obj, "__dict__")
    except Exception:
        return None
    return found if isinstance(found, dict) else None


def _is_plain(obj: Any) -> bool:
    return not isinstance(obj, (list, collections.deque, types.CellType))


def _read(obj: Any, sort: str) -> Any:
    """A shallow copy of what an object holds."""
    if sort == "items":
        return dict(dict.items(obj))
    if sort == "attributes":
        if isinstance(obj, type):
            return {name: value for name, value in vars(obj).items() if not _OF_CLASS.match(name)}
        if isinstance(obj, types.ModuleType):
            return {name: value for name, value in vars(obj).items() if not _OF_MODULE.match(name)}
        if isinstance(obj, types.FunctionType):
            return dict(vars(obj))
        return dict(_attributes(obj) or {})
    if isinstance(obj, (list, collections.deque)):
        return list(obj)
    if isinstance(obj, set):
        return set(obj)
    if isinstance(obj, bytearray):
        return bytes(obj)
    if isinstance(obj, random.Random):
        return obj.getstate()
    if isinstance(obj, types.CellType):
        return [obj.cell_contents]
    if type(obj) in _LOCKS:
        return _is_locked(obj)
    if isinstance(obj, itertools.count):
        return repr(obj)
    if isinstance(obj, types.GeneratorType):
        return "exhausted" if obj.gi_frame is None else f"at byte {obj.gi_frame.f_lasti} of its code"
    info = obj.cache_info()
    return (info.currsize, info.misses)


def _read_again(node: Node) -> Any:
    """What a noted object holds by now; nothing if it is broken, and cannot be told from the outside."""
    try:
        return _read(node.obj, node.sort)
    except Exception:
        return None


def _is_locked(lock: Any) -> bool:
    if hasattr(lock, "locked"):
        return bool(lock.locked())
    if lock.acquire(blocking=False):  # a reentrant lock; that this thread holds it is seen in its repr alone
        lock.release()
        return "count=0" not in repr(lock)
    return True


def _same_list(old: List[Any], new: List[Any]) -> bool:
    return len(old) == len(new) and all(same(a, b) for a, b in zip(old, new))


def _whole_place(node: Node, now: Any) -> Place:
    obj, old = node.obj, node.state
    mend: Optional[Dict[str, Any]] = None
    restore: Optional[Callable[[], None]]
    if isinstance(obj, (list, bytearray)):
        restore = lambda: obj.__setitem__(slice(None), old)
        mend = _mend(node, "list")
    elif isinstance(obj, collections.deque):
        restore = lambda: (obj.clear(), obj.extend(old))  # type: ignore[assignment]
    elif isinstance(obj, set):
        restore = lambda: (set.clear(obj), set.update(obj, old))  # type: ignore[assignment]
        mend = _mend(node, "set")
    elif isinstance(obj, random.Random):
        restore = lambda: obj.setstate(old)
        return Place(node.path, "random state", "its state", "another state", restore, node.weak)
    elif isinstance(obj, types.CellType):
        restore = lambda: setattr(obj, "cell_contents", old[0])
        return Place(node.path, "global/module state", show(old[0]), show(now[0]), restore, node.weak)
    elif type(obj) in _LOCKS:
        restore = obj.release if now else lambda: obj.acquire(blocking=False)
        shown = ["locked" if state else "unlocked" for state in (old, now)]
        return Place(node.path, "global/module state", *shown, restore, node.weak, _mend(node, "lock"))
    elif isinstance(obj, types.GeneratorType):
        return Place(node.path, "global/module state", old, now, None, node.weak)
    elif isinstance(obj, itertools.count):
        start, rebind = re.match(r"count\((\d+)\)$", old), node.rebind
        restore = None
        if start is not None and rebind is not None:
            number = int(start.group(1))
            restore = lambda: rebind(itertools.count(number))
    else:
        shown = [f"{state[0]} cached results" for state in (old, now)]
        return Place(node.path, "global/module state", *shown, obj.cache_clear, node.weak, _mend(node, "cache"))
    return Place(node.path, _kind(node.path, old, now), show(old), show(now), restore, node.weak, mend)


def _slot_places(node: Node, now: Dict[Any, Any]) -> Iterator[Place]:
    old = node.state
    changed = [key for key, value in old.items() if not same(value, now.get(key, MISSING))]
    changed += [key for key in now if key not in old]
    if not changed:
        return
    if node.sort == "items" and len(changed) > _KEYS:
        restore = lambda: (dict.clear(node.obj), dict.update(node.obj, old))
        kind = _kind(node.path, old, now)
        yield Place(node.path, kind, show(old), show(now), restore, node.weak, _mend(node, "dict"))  # type: ignore[arg-type]
        return
    for key in changed:
        before, after = old.get(key, MISSING), now.get(key, MISSING)
        if isinstance(node.obj, types.ModuleType) and isinstance(after, types.ModuleType) and before is MISSING:
            continue  # a submodule that was imported; the module table tells of it
        name = f"{node.path}[{key_name(key)}]" if node.sort == "items" else f"{node.path}.{key}"
        restore = _restorer(node.obj, node.sort, key, before)
        mend = _mend(node, "dict") if node.sort == "items" else _mend(node, "attribute")
        if mend is not None and node.sort == "attributes":
            mend = {**mend, "attribute": str(key)} if before is not MISSING else None
        weak = node.weak and not (callable(before) or is_mock(after))
        if node.foreign and node.sort == "attributes":  # what a library remembers for itself
            weak = weak or before is MISSING or str(key).startswith("_")
        yield Place(name, _kind(name, before, after), show(before), show(after), restore, weak, mend)


def _kind(path: str, old: Any, new: Any) -> str:
    if "dependency_overrides" in path:
        return "dependency override"
    if path.startswith("fixture "):
        return "session/module fixture state"
    return "mock left active" if is_mock(new) and not is_mock(old) else "global/module state"


def _mend(node: Node, how: str) -> Optional[Dict[str, Any]]:
    """What a fixture that keeps this object needs to know, if an expression leads to it."""
    if node.reach is None or re.search(r"<locals>|\[<|…|^\w+ \w+ ", node.path):
        return None
    return {"how": how, "module": node.reach, "object": node.path}


def _binder(obj: Any, sort: str, key: Any) -> Callable[[Any], None]:
    return lambda value: _put(obj, sort, key, value)


def _cell_binder(cell: Any) -> Callable[[Any], None]:
    return lambda value: setattr(cell, "cell_contents", value)


def _restorer(obj: Any, sort: str, key: Any, value: Any) -> Callable[[], None]:
    return lambda: _put(obj, sort, key, value)


def _put(obj: Any, sort: str, key: Any, value: Any) -> None:
    """Bind a value to a slot, or take the slot away, past any code of the suite."""
    if isinstance(obj, type):
        if value is MISSING:
            type.__delattr__(obj, key)
        else:
            type.__setattr__(obj, key, value)
        return
    target: Any = obj if sort == "items" else vars(obj) if isinstance(obj, types.ModuleType) else _attributes(obj)
    if value is MISSING:
        dict.pop(target, key, None)
    else:
        dict.__setitem__(target, key, value)


def loaded(is_own: Callable[[str], bool]) -> Graph:
    """The graph of everything that is imported by now."""
    graph = Graph(is_own)
    modules = [
        (name, module)
        for name, module in list(sys.modules.items())
        if isinstance(module, types.ModuleType) and name.split(".")[0] not in _FOREIGN
    ]
    own = [(name, module) for name, module in modules if is_own(name)]
    own.sort(key=lambda pair: (_is_of_tests(pair[0]), pair[0].count(".")))
    used = {id(value) for _, module in own for value in vars(module).values() if isinstance(value, types.ModuleType)}
    classes = [value for _, module in own for value in vars(module).values() if isinstance(value, type)]
    for name, module in own:
        graph.add_module(name, module)
    for name, module in modules:
        if not is_own(name):
            graph.add_foreign(name, module)
            if id(module) in used:
                classes += [value for value in list(vars(module).values()) if isinstance(value, type)]
    for cls in classes:
        if not is_own(cls.__module__) and cls.__module__ != "builtins":
            graph.add_foreign(f"{cls.__module__}.{cls.__qualname__}", cls)
    graph.walk()
    return graph


def _is_of_tests(name: str) -> bool:
    parts = name.split(".")
    return any(part in ("tests", "test", "conftest") or part.startswith("test_") for part in parts)
