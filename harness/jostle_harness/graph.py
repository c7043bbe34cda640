"""The project's objects: module globals, class attributes and what they hold, as a graph of mutable objects.

Each mutable object is noted once, under the shortest path that leads to it, with a shallow copy of what it held. A change
is found, and undone, in that very object, so that everybody who holds it sees it restored. What the process's own tables
and lists hold is told by these, whoever else has a name for them.
"""

from __future__ import annotations

import collections
import functools
import heapq
import itertools
import re
import sys
import types
from typing import Any, Callable, Collection, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple, TypeVar

from . import limits
from .changes import changed_places
from .glance import Glance
from .paths import dictionary
from .places import Place, is_a, is_atomic, key_name, namespace
from .snapshot import (
    FOREIGN,
    OF_MODULE,
    Node,
    Sort,
    attributes,
    binder,
    cell_binder,
    identity,
    is_cut_off,
    read,
    read_again,
    slots,
    sort_of,
)

_T = TypeVar("_T")

#: What cannot change, and leads to nothing.
_ATOMS = frozenset((int, str, float, bool, bytes, type(None)))


#: What leads from an object to what it holds, or to itself.
ONE_STEP = re.compile(r"(?:\.[^.\[\]]+|\[.*\])?$")
#: Binds another object in the place of one.
Binder = Callable[[object], None]
#: Whether it is of low confidence, or of a test module; then the steps that lead there, and the length of the path.
_Rank = Tuple[bool, bool, int, int, str]
#: An object, its path, how deep it lies, whether it is of low confidence, the module that brings it, and what binds
#: another instead.
_Reference = Tuple[Any, str, int, bool, Optional[str], Optional[Binder]]


class Graph:
    """What is reachable from the roots, as it was when each object was first seen."""

    def __init__(self, is_own: Callable[[str], bool], elsewhere: Iterable[object] = ()) -> None:
        self._is_own = is_own
        self._elsewhere = {id(obj): obj for obj in elsewhere}
        #: By what holds their state: objects may share one namespace, and a dictionary may be one.
        self._nodes: Dict[int, Node] = {}
        #: What a developer would type for paths that are no expressions.
        self._expressions: Dict[str, str] = {}
        #: What is still to be looked into, those first whose name is the one to tell.
        self._queue: List[Tuple[_Rank, int, _Reference]] = []
        self._left = limits.REFERENCES
        #: What lies too deep, unless another path leads there.
        self._deep: Dict[int, Tuple[object, Sort]] = {}
        self._is_full = False
        self._glance: Optional[Glance] = None
        #: All nodes that are glanced at, and where those stand that only a copy tells of.
        self._glanced: List[Node] = []
        self._copied: List[int] = []
        #: The identities of all objects that are glanced at.
        self.glanced: Set[int] = set()

    @property
    def is_cut_off(self) -> bool:
        """Whether there was more than could be looked at."""
        return self._is_full or any(identity(*deep) not in self._nodes for deep in self._deep.values())

    @property
    def size(self) -> int:
        """How many objects are noted."""
        return len(self._nodes)

    def add_module(self, name: str, module: types.ModuleType) -> None:
        """A module of the project; its globals are looked into."""
        if id(namespace(module)) in self._nodes:
            return
        node = self._note(module, name, "attributes", False, name)
        for attribute, value in list(namespace(module).items()):
            if not OF_MODULE.match(attribute):
                rebind = binder(node, attribute)
                self._later(value, f"{name}.{attribute}", 1, False, name, rebind)

    def add_foreign(self, name: str, namespace: object) -> None:
        """A module or class of others; only what its names are bound to is noted."""
        if identity(namespace, "attributes") not in self._nodes:
            self._note(namespace, name, "attributes", True, name)

    def add_value(self, path: str, value: object) -> None:
        """A value that no module may hold, such as a fixture's."""
        self._later(value, path, 1, False, None, None)

    def knows(self, obj: object) -> Optional[Node]:
        """What was noted of an object, if its changes are told here."""
        return self._nodes.get(id(obj))

    def walk(self) -> None:
        """Look into everything that is waiting."""
        while self._queue:
            if len(self._nodes) >= limits.OBJECTS:
                self._is_full = True
                self._queue.clear()
                return
            self._visit(*heapq.heappop(self._queue)[-1])

    def _later(
        self, obj: object, path: str, depth: int, low_confidence: bool, reach: Optional[str], rebind: Optional[Binder]
    ) -> None:
        """Look into a value once those before it have been looked into, unless there are too many."""
        if type(obj) in _ATOMS:
            return
        if self._left == 0:
            self._is_full = True
            return
        self._left -= 1
        module = reach or ""
        rank = (low_confidence, _is_of_tests(module), depth + module.count("."), len(path), path)
        heapq.heappush(self._queue, (rank, self._left, (obj, path, depth, low_confidence, reach, rebind)))

    def _first(self, held: Collection[_T]) -> List[_T]:
        """As many of what an object holds as are looked into."""
        self._is_full |= len(held) > limits.CHILDREN
        return list(itertools.islice(held, limits.CHILDREN))

    def _note(self, obj: object, path: str, sort: Sort, low_confidence: bool, reach: Optional[str]) -> Node:
        node = Node(obj, path, sort, read(obj, sort), low_confidence, reach)
        node.expression = self._expressions.get(path)
        self._is_full |= is_cut_off(node.state)
        self._nodes[identity(obj, sort)] = node
        return node

    def _visit(
        self, obj: Any, path: str, depth: int, low_confidence: bool, reach: Optional[str], rebind: Optional[Binder]
    ) -> None:
        kind = type(obj)
        if kind in _ATOMS or id(obj) in self._nodes or id(obj) in self._elsewhere:
            return
        if depth > limits.DEPTH:
            self._leave_out(obj)
            return
        if kind in (staticmethod, classmethod):
            obj, kind = obj.__func__, type(obj.__func__)
        if kind in (tuple, frozenset):
            for index, item in enumerate(self._first(obj)):
                self._later(item, f"{path}[{index}]", depth + 1, low_confidence, reach, None)
            return
        if is_a(obj, type):
            if self._is_own(obj.__module__):
                self._class(obj)
            return
        if kind is types.FunctionType:
            self._function(obj, depth)
            return
        sort = sort_of(obj)
        if sort is None or identity(obj, sort) in self._nodes:
            return
        node = self._note(obj, path, sort, low_confidence, reach)
        node.rebind = rebind
        foreign = not self._is_own(str(kind.__module__)) and kind.__module__ != "builtins"
        node.foreign = foreign
        self._look_into(node, depth)

    def _look_into(self, node: Node, depth: int) -> None:
        """Look into what an object holds."""
        obj, path, sort, low_confidence, reach, foreign = (
            node.obj,
            node.path,
            node.sort,
            node.low_confidence,
            node.reach,
            node.foreign,
        )
        if sort == "attributes":
            for name, value in self._first(node.state.items()):
                hidden = low_confidence or (foreign and name.startswith("_"))
                rebind = binder(node, name)
                self._later(value, f"{path}.{name}", depth + 1, hidden, reach, rebind)
        elif sort == "items":
            for key, value in self._first(node.state.items()):
                rebind = binder(node, key)
                self._later(value, f"{path}[{key_name(key)}]", depth + 1, low_confidence, reach, rebind)
        elif is_a(obj, (list, collections.deque)):
            for index, value in enumerate(self._first(node.state)):
                self._later(value, f"{path}[{index}]", depth + 1, low_confidence, reach, None)

    def _leave_out(self, obj: object) -> None:
        """Remember what lies too deep, if it is anything that may change."""
        sort = "whole" if type(obj) in (tuple, frozenset) and not is_atomic(obj) else sort_of(obj)
        if sort is not None and not is_a(obj, (type, types.FunctionType)):
            self._deep[id(obj)] = (obj, sort)

    def _class(self, cls: type) -> None:
        name = f"{cls.__module__}.{cls.__qualname__}"
        node = self._note(cls, name, "attributes", False, None if "<locals>" in name else cls.__module__)
        for attribute, value in list(node.state.items()):
            rebind = binder(node, attribute)
            self._later(value, f"{name}.{attribute}", 2, False, node.reach, rebind)

    def _function(self, function: types.FunctionType, depth: int) -> None:
        wrapped = namespace(function).get("__wrapped__")
        if not self._is_own(function.__module__ or ""):
            if wrapped is not None:
                self._later(wrapped, "", depth, False, None, None)
            return
        name = f"{function.__module__}.{function.__qualname__}"
        self._note(function, name, "attributes", False, function.__module__)
        code = function.__code__
        defaults = function.__defaults__ or ()
        names = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
        named = [(argument, f".__defaults__[{at}]", value) for at, (argument, value) in enumerate(zip(names, defaults))]
        by_key = (function.__kwdefaults__ or {}).items()
        named += [(argument, f'.__kwdefaults__["{argument}"]', value) for argument, value in by_key]
        for argument, expression, value in named:
            path = f"default argument {argument} of {name}"
            self._expressions[path] = name + expression
            self._later(value, path, depth + 1, False, function.__module__, None)
        for variable, cell in zip(code.co_freevars, function.__closure__ or ()):
            try:
                value = cell.cell_contents
            except ValueError:  # not bound yet
                continue
            path = f"variable {variable} that {name} encloses"
            node = self._nodes.get(id(cell)) or self._note(cell, path, "whole", False, None)
            self._later(value, path, depth + 1, False, None, cell_binder(node))
        for attribute, value in list(namespace(function).items()):
            self._later(value, f"{name}.{attribute}", depth + 1, False, function.__module__, None)

    def holder(self, name: str) -> Optional[Node]:
        """The object that has a place of this name, or is it."""
        best: Optional[Node] = None
        for node in self._nodes.values():
            path = node.path
            leads = name.startswith(path) and (len(name) == len(path) or name[len(path)] in ".[")
            if leads and (best is None or len(path) > len(best.path)):
                best = node
        return best

    def tells(self, name: str) -> bool:
        """Whether a change of the place of this name is told here."""
        node = self.holder(name)
        return node is not None and bool(ONE_STEP.match(name[len(node.path) :]))

    def changes(self, touched: Optional[Iterable[Node]] = None) -> Iterator[Place]:
        """What differs from what was noted; of those that were touched, if it is said which."""
        for node in list(self._nodes.values()) if touched is None else touched:
            yield from changed_places(node)

    def touched(self) -> List[Node]:
        """The objects that may differ by now from what they were when this was last asked."""
        if self._glance is None:
            self._glance = Glance()
        new = list(itertools.islice(self._nodes.values(), len(self._glanced), None))
        glanced = []
        for at, node in enumerate(new, len(self._glanced)):
            held = _held(node)
            if held:
                glanced += [(at, part) for part in held]
            else:
                self._copied.append(at)
        self._glanced += new
        found = {*self._glance.touched(), *(at for at in self._copied if self._is_another(self._glanced[at]))}
        # Those may have changed since they were noted.
        found.update(range(len(self._glanced) - len(new), len(self._glanced)))
        self._glance.add(glanced)
        self.glanced.update(id(part) for _, part in glanced)
        return [self._glanced[at] for at in sorted(found)]

    def _is_another(self, node: Node) -> bool:
        now = read_again(node)
        return now is not None and bool(now != node.state)

    def note_anew(self, touched: Iterable[Node]) -> None:
        """Note what these hold by now, and what has come with it."""
        for node in touched:
            now = read_again(node)
            if now is not None:
                node.state = now
                if is_a(node.obj, types.ModuleType) and self._is_own(node.path):
                    for attribute, value in now.items():
                        self._later(value, f"{node.path}.{attribute}", 1, False, node.reach, binder(node, attribute))
                elif not is_a(node.obj, (types.ModuleType, types.FunctionType, types.CellType)):
                    self._look_into(node, limits.DEPTH - 3)
        self.walk()


def looked_at(nodes: Iterable[Node]) -> Iterator[object]:
    """What of these is glanced at."""
    for node in nodes:
        yield from _held(node)


def _held(node: Node) -> List[object]:
    """What the collector can be asked of to see that an object holds others; nothing if that tells not all."""
    obj = node.obj
    if node.sort == "items" or is_a(obj, (list, set, collections.deque, types.CellType)):
        return [obj]
    if node.sort == "whole":
        return []
    if is_a(obj, (type, types.ModuleType, types.FunctionType)):
        return [dictionary(obj)]
    found = attributes(obj)
    return [*([] if found is None else [found]), *([obj] if slots(type(obj)) else [])]


def loaded(
    is_own: Callable[[str], bool], first: Sequence[Tuple[str, object]] = (), elsewhere: Iterable[object] = ()
) -> Graph:
    """The graph of everything that is imported by now, and of values that are known by other paths first.

    What others watch, ``elsewhere``, is no part of it.
    """
    graph = Graph(is_own, elsewhere)
    for path, value in first:
        graph.add_value(path, value)
    graph.walk()
    add_loaded(graph, is_own)
    return graph


def add_loaded(graph: Graph, is_own: Callable[[str], bool]) -> None:
    """Add what is imported by now, and was not yet."""
    modules = [
        (name, module)
        for name, module in list(sys.modules.items())
        if is_a(module, types.ModuleType) and name.split(".")[0] not in FOREIGN
    ]
    own = [(name, module) for name, module in modules if is_own(name)]
    own.sort(key=lambda pair: _module_rank(*pair))
    used = {id(value) for _, module in own for value in namespace(module).values() if is_a(value, types.ModuleType)}
    classes = [value for _, module in own for value in namespace(module).values() if is_a(value, type)]
    for name, module in own:
        graph.add_module(name, module)
    for name, module in modules:
        if not is_own(name):
            graph.add_foreign(name, module)
            if id(module) in used:
                classes += [value for value in list(namespace(module).values()) if is_a(value, type)]
    for cls in classes:
        if not is_own(cls.__module__) and cls.__module__ != "builtins":
            graph.add_foreign(f"{cls.__module__}.{cls.__qualname__}", cls)
    graph.walk()


def _module_rank(name: str, module: types.ModuleType) -> Tuple[bool, bool, int, int, str]:
    """What comes first of several names of one module: what it calls itself, and the shortest."""
    return (_is_of_tests(name), namespace(module).get("__name__") != name, name.count("."), len(name), name)


@functools.lru_cache(maxsize=None)
def _is_of_tests(name: str) -> bool:
    parts = name.split(".")
    return any(part in ("tests", "test", "conftest") or part.startswith("test_") for part in parts)
