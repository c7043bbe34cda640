"""What the objects of installed libraries and of the standard library hold: a difference of everything that can be reached.

Objects are gathered from the modules outwards, a step at a time, by :func:`gc.get_referents`, which costs little even
for half a million of them. Of each that may change a shallow copy is kept, and compared later by identity, so that no code of
the suite is run. Only what has changed is named: see :mod:`.paths`.

The project's own objects are the business of :mod:`.graph`, which looks at them more closely.
"""

from __future__ import annotations

import abc
import collections
import contextlib
import functools
import gc
import operator
import os
import sys
import threading
import types
from typing import Any, Callable, Container, Dict, FrozenSet, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from . import file_objects, iterators, limits
from .changes import changed_places
from .file_objects import is_file_object
from .glance import Glance
from .iterators import is_iterator
from .paths import Path, Paths, dictionary, held_by, slot
from .places import MISSING, Place, home_of, is_a, namespace, same, show
from .snapshot import LOCKS, Node, Sort, attributes, binder, in_slots, is_cut_off, of_namespace, read, slots

#: Packages whose objects are no business of the suite's: those that run it.
RUNNERS = frozenset(
    ("_pytest", "pytest", "pluggy", "jostle_harness", "xdist", "execnet", "iniconfig", "exceptiongroup")
)
#: What is looked into though the collector does not list it, or lists it only at times.
_UNLISTED = (dict, bytearray, *LOCKS)
#: What may lead to more, of Python's own types.
_LEADING = (
    tuple,
    type,
    types.CellType,
    types.MethodType,
    functools.partial,
    property,
    classmethod,
    staticmethod,
    types.MappingProxyType,
)
#: The packages of Python's own library, where Python tells.
_STANDARD: FrozenSet[str] = getattr(sys, "stdlib_module_names", frozenset())
_DICTIONARY_OFFSET = type.__dict__["__dictoffset__"].__get__
#: Whose attributes are no dictionary of an instance.
_NAMESPACES = (type, types.ModuleType, types.FunctionType)
#: Dictionaries that are copied without a method of their own being asked.
_COPIED_WHOLE = (dict, collections.OrderedDict, collections.defaultdict)
_SIZED = (dict, list, tuple, set)
#: What holds others in a namespace alone, as far as they have names.
_OF_NAMESPACE = (types.ModuleType, threading.local)
#: Of which the collector tells all that they hold.
_GLANCED = (dict, list, set, collections.deque, types.CellType)
_CACHED = type(functools.lru_cache(maxsize=None)(len))


#: What others have noted of an object, if they tell of its changes.
_Noted = Callable[[object], Optional[Node]]


class _Kind(NamedTuple):
    """What is to be done with objects of one type."""

    #: Makes the shallow copy of what one holds; nothing if that does not change.
    copy: Optional[Callable[[Any], Any]]
    #: Whether it leads to others.
    leads: bool
    #: Whether its attributes lie in a dictionary, which Python makes when it is asked for.
    has_dictionary: bool


class Heap:
    """What can be reached from modules, as it was when :meth:`note` was called."""

    def __init__(
        self, is_own: Callable[[str], bool], is_runner: Callable[[str], bool], elsewhere: Iterable[object]
    ) -> None:
        self._is_own = is_own
        self._is_runner = is_runner
        #: By the type's identity: a metaclass may have a hash of its own.
        self._kinds: Dict[int, Tuple[type, Optional[_Kind]]] = {}
        #: What is told by others.
        self._outside = {id(obj): obj for obj in elsewhere}
        #: The objects by their identities, by the number of steps from a module.
        self._levels: List[Dict[int, Any]] = []
        #: Each with what it held, and what makes such a copy.
        self._noted: List[Tuple[Any, Any, Callable[[Any], Any]]] = []
        self._used = self._packages()
        self.is_cut_off = False
        #: In which level each of these stands.
        self._level_of: List[int] = []
        #: What is known already, by identity.
        self._seen: Set[int] = set()
        #: The paths of those that have changed, by identity, if they have one.
        self._names: Dict[int, Optional[Path]] = {}
        self._glance: Optional[Glance] = None
        #: Where in the list of what was noted those are that only a copy tells of.
        self._copied: List[int] = []
        #: The identities of objects of which others tell at a glance, and where such stand here.
        self._glanced_elsewhere: Container[int] = ()
        self._left_to_others: Dict[int, int] = {}

    def _packages(self) -> Set[str]:
        """The packages of which the project's modules have something."""
        found = set()
        for name, module in list(sys.modules.items()):
            if is_a(module, types.ModuleType) and self._is_own(name):
                for value in list(namespace(module).values()):
                    found.add(_home(value).partition(".")[0])
        return found

    def note(self) -> None:
        """Gather all objects, and note what they hold."""
        self._seen = self._barred()
        roots = self._modules()
        self._seen.update(roots)
        self._levels.append(roots)
        self._gather(list(roots.values()), 0)

    @property
    def size(self) -> int:
        """Of how many objects it is known what they held."""
        return len(self._noted)

    def note_imported(self) -> None:
        """Note modules that were imported since, and all that they lead to."""
        roots = {key: module for key, module in self._modules().items() if key not in self._levels[0]}
        self._seen.update(roots)
        self._levels[0].update(roots)
        start = len(self._noted)
        self._gather(list(roots.values()), 0)
        if self._glance is not None:
            self._glance_at(start)

    def _modules(self) -> Dict[int, Any]:
        """The modules that are no runner's, by their identities."""
        modules = list(sys.modules.items())
        return {
            id(module): module
            for name, module in modules
            if is_a(module, types.ModuleType) and not self._is_runner(name)
        }

    def _gather(self, follow: List[Any], above: int) -> None:
        """Note all that is not known yet of what these objects, which are of one level or above it, lead to."""
        seen = self._seen
        held: List[Any] = []
        #: Of which nothing is kept, so that another may lie there soon.
        passing: Set[int] = set()
        while follow or held:
            found = [*self._reached(follow), *held]
            # In the order in which they were reached, which is the same in each run.
            new = dict(zip(map(id, found), found))
            for known in seen.intersection(new):
                del new[known]
            seen.update(new)
            level, follow, held = self._take(new.values())
            passing.update(new)
            passing.difference_update(map(id, level))
            above += 1
            self._level_of += [above] * (len(self._noted) - len(self._level_of))
            if not level:
                break
            if above == len(self._levels):
                self._levels.append({})
            self._levels[above].update(zip(map(id, level), level))
        seen.difference_update(passing)

    def forget(self) -> None:
        """Keep nothing alive any more."""
        self._levels, self._noted, self._kinds, self._seen, self._glance = [], [], {}, set(), None
        self._level_of, self._names, self._left_to_others, self._glanced_elsewhere = [], {}, {}, ()

    def leave_to_others(self, glanced: Container[int]) -> None:
        """Have others tell at a glance of the objects of these identities, which are kept alive."""
        self._glanced_elsewhere = glanced

    def touched(self, elsewhere: Iterable[object] = ()) -> List[int]:
        """Where those of the noted objects stand that differ by now from what they were when this was last asked: a cheap
        look first tells where to take a close one, and others do so of what was left to them."""
        if self._glance is None:
            self._glance = Glance()
            self._glance_at(0)
        told = (self._left_to_others.get(id(obj)) for obj in elsewhere)
        places = {*self._glance.touched(), *self._copied, *(at for at in told if at is not None)}
        return [at for at in sorted(places) if self._differs_at(at)]

    def _glance_at(self, start: int) -> None:
        assert self._glance is not None
        glanced = []
        for at, (obj, _, copy) in enumerate(self._noted[start:], start):
            if id(obj) in self._glanced_elsewhere:
                self._left_to_others[id(obj)] = at
            elif copy is in_slots or is_a(obj, _GLANCED):
                glanced.append((at, obj))
            else:
                self._copied.append(at)
        self._glance.add(glanced)

    def _differs_at(self, at: int) -> bool:
        obj, old, copy = self._noted[at]
        try:
            return _differs(old, copy(obj))
        except Exception:  # it is broken by now, or another thread changes it meanwhile
            self.is_cut_off = True
            return False

    def note_anew(self, touched: Iterable[int]) -> None:
        """Note what these hold by now, and what has come with it."""
        start = len(self._noted)
        by_level: Dict[int, List[Any]] = {}
        for at in touched:
            obj, _, copy = self._noted[at]
            with contextlib.suppress(Exception):
                self._noted[at] = (obj, copy(obj), copy)
                by_level.setdefault(self._level_of[at], []).append(obj)
        for level, holders in sorted(by_level.items()):
            self._gather(holders, level)
        if self._glance is not None:
            self._glance_at(start)

    def changes(self, noted: _Noted, touched: Optional[Iterable[int]] = None) -> Iterator[Place]:
        """What differs by now, but for what is known to others; of those that were touched, if it is said which."""
        among = range(len(self._noted)) if touched is None else touched
        found_changed = [self._noted[at][:2] for at in among if self._differs_at(at)]
        changed = [(obj, old) for obj, old in found_changed if not self._is_told(obj, noted)]
        names = self._named([obj for obj, _ in changed])
        places: List[Tuple[Tuple[int, int, str], Place]] = []
        for obj, old in changed:
            path = names.get(id(obj))
            if path is None or path.is_namespace and noted(path.owner):
                continue
            try:
                found = list(self._places(path, obj, old, noted))
            except Exception:  # as above
                self.is_cut_off = True
                continue
            for place in found:
                place.low_confidence = place.in_library = True
                places.append(((self._rank(place), len(place.name), place.name), place))
        places.sort(key=operator.itemgetter(0))
        self.is_cut_off |= len(places) > limits.LIBRARY_PLACES
        return (place for _, place in places[: limits.LIBRARY_PLACES])

    def _named(self, objects: List[Any]) -> Dict[int, Optional[Path]]:
        """The paths of these objects, which are slow to find: what has changed once may change with each test."""
        new = [obj for obj in objects if id(obj) not in self._names]
        if new:
            found = Paths(self._levels).of(new)
            self._names.update((id(obj), found.get(id(obj))) for obj in new)
        return self._names

    def _is_told(self, obj: object, noted: _Noted) -> bool:
        # Who is registered with an abstract class is told here alone.
        return id(obj) in self._outside or not is_a(obj, abc.ABCMeta) and noted(obj) is not None

    def _places(self, path: Path, obj: Any, old: Any, noted: _Noted) -> Iterator[Place]:
        """What has changed of an object that held something else."""
        if is_a(obj, abc.ABCMeta):
            name = f"the classes that are registered with {path.text}"
            restore = functools.partial(_register, obj, old)
            yield Place(name, "global/module state", show(old), show(_registered(obj)), restore, True)
        else:
            node = _node(path, obj, old)
            node.rebind = self._rebinder(obj, path.text, noted)
            yield from changed_places(node)

    def _rebinder(self, obj: object, name: str, noted: _Noted) -> Optional[Callable[[object], None]]:
        """What binds another in the place of an object of this name, and takes it for what was there from then on."""
        found = slot(obj, name)
        if found is None:
            return None
        holder, key = found
        bind = binder(noted(holder.holding) or holder, key)

        def rebind(other: object) -> None:
            bind(other)
            for at, (held, old, copy) in enumerate(self._noted):
                if held is obj:
                    self._noted[at] = (other, old, copy)
                elif type(old) is dict and key in old and (held is holder.obj or held is dictionary(holder.obj)):
                    old[key] = other
            for level in self._levels:
                if level.pop(id(obj), None) is not None:
                    level[id(other)] = other

        return rebind

    def _rank(self, place: Place) -> int:
        """What is likelier to matter comes first: state of what the project uses, then of others, then of Python's own
        library; and what functions remember after all of it."""
        package = place.name.partition(".")[0]
        if place.recipe is not None and place.recipe["how"] == "cache":
            return 3
        return 0 if package in self._used else 2 if package in _STANDARD else 1

    def _barred(self) -> Set[int]:
        """What is not gone into: it belongs to those that run the suite, or is watched elsewhere."""
        barred = {id(sys.modules), id(getattr(os.environ, "_data", None))}
        for name, module in list(sys.modules.items()):
            if is_a(module, types.ModuleType) and self._is_runner(name):
                barred.update((id(module), id(namespace(module))))
        return barred

    def _reached(self, objects: List[Any]) -> Iterator[Any]:
        """All that these refer to, as far as it can be named."""
        others = []
        for obj in objects:
            kind = type(obj)
            if kind is types.FunctionType or is_a(obj, _OF_NAMESPACE):
                yield from held_by(obj)
            elif is_file_object(kind):  # which tells for those that it reads and writes through
                yield from (held for held in gc.get_referents(obj) if not is_file_object(type(held)))
            else:
                others.append(obj)
        for at in range(0, len(others), 10_000):
            yield from gc.get_referents(*others[at : at + 10_000])

    def _take(self, objects: Iterable[Any]) -> Tuple[List[Any], List[Any], List[Any]]:
        """Note what these hold. Returns those that are kept, those of them that lead to others, and the dictionaries of
        attributes, which the collector does not list from Python 3.13 on."""
        kept, leading, dictionaries = [], [], []
        kinds, noted = self._kinds, self._noted
        for obj in objects:
            of = type(obj)
            known = kinds.get(id(of))
            if known is None:
                known = kinds[id(of)] = (of, self._kind(of))
            kind = known[1]
            if kind is None:
                continue
            if of in _SIZED and len(obj) > limits.ENTRIES_OF_ONE:
                self.is_cut_off = True
                continue
            kept.append(obj)
            if kind.has_dictionary:
                dictionary = attributes(obj)
                if dictionary is not None:
                    dictionaries.append(dictionary)
            if kind.copy is not None:
                copy = kind.copy(obj)
                self.is_cut_off |= is_cut_off(copy)
                noted.append((obj, copy, kind.copy))
            if kind.leads:
                leading.append(obj)
        return kept, leading, dictionaries

    def _kind(self, of: type) -> Optional[_Kind]:
        """What to do with objects of a type; nothing if they are neither noted nor gone into."""
        if self._is_runner(home_of(of)):
            return None
        has_dictionary = bool(_DICTIONARY_OFFSET(of)) and not issubclass(of, _NAMESPACES)
        if of in _COPIED_WHOLE:
            return _Kind(dict.copy, True, False)
        if issubclass(of, dict):
            return _Kind(functools.partial(read, sort="items"), True, has_dictionary)
        if issubclass(of, list):
            return _Kind(list.copy, True, has_dictionary)
        if issubclass(of, collections.deque):
            return _Kind(_listed, True, has_dictionary)
        if issubclass(of, set):
            return _Kind(functools.partial(set.union, set()), False, has_dictionary)
        if of is _CACHED:
            return _Kind(_cached, False, False)
        if of in _UNLISTED:
            return _Kind(functools.partial(read, sort="whole"), False, False)
        if is_file_object(of):
            return _Kind(file_objects.read, True, has_dictionary)
        if is_iterator(of):
            return _Kind(iterators.Left, False, False)
        if of is types.CellType:
            return _Kind(functools.partial(read, sort="whole"), True, False)
        if issubclass(of, abc.ABCMeta):
            return _Kind(_registered, True, False)
        if of is types.FunctionType or issubclass(of, (type, *_OF_NAMESPACE)) or of in _LEADING:
            return _Kind(None, True, False)
        if slots(of):
            return _Kind(in_slots, True, has_dictionary)
        return _Kind(None, True, True) if has_dictionary else None


def _home(value: object) -> str:
    """The module that something comes from."""
    if is_a(value, types.ModuleType):
        name = namespace(value).get("__name__")
    elif is_a(value, types.FunctionType):
        name = value.__module__
    else:
        name = home_of(value if is_a(value, type) else type(value))
    return name if type(name) is str else ""


def _cached(function: Any) -> Tuple[int, int]:
    info = function.cache_info()
    return (info.currsize, info.misses)


def _listed(held: Any) -> List[Any]:
    return list(collections.deque.__iter__(held))


def _differs(old: Any, now: Any) -> bool:
    """Whether two copies hold other objects."""
    kind = type(old)
    if kind is dict:
        if (
            len(old) == len(now)
            and all(map(operator.is_, old.values(), now.values()))
            and all(map(operator.is_, old, now))
        ):
            return False
        # In whatever order they are by now.
        new = {_identity(key): value for key, value in now.items()}
        return len(old) != len(now) or not all(
            same(value, new.get(_identity(key), MISSING)) for key, value in old.items()
        )
    if kind is list:
        return len(old) != len(now) or not all(map(operator.is_, old, now)) and not all(map(same, old, now))
    if kind is set:
        return len(old) != len(now) or set(map(_identity, old)) != set(map(_identity, now))
    return bool(old != now)


def _identity(key: Any) -> object:
    """What tells a key from others without code of the suite."""
    return (type(key), key) if type(key) in _PLAIN else id(key)


_PLAIN = frozenset((str, int, bytes, float, bool, type(None)))


def _registered(cls: Any) -> List[type]:
    """The classes that are taken for subclasses of an abstract one."""
    try:
        found = [reference() for reference in abc._get_dump(cls)[0]]  # type: ignore[attr-defined]
    except AttributeError:  # its metaclass has not made it abstract
        return []
    return sorted((other for other in found if other is not None), key=lambda other: str(other.__qualname__))


def _register(cls: Any, others: List[type]) -> None:
    abc._reset_registry(cls)  # type: ignore[attr-defined]
    abc._reset_caches(cls)  # type: ignore[attr-defined]
    for other in others:
        abc.ABCMeta.register(cls, other)


def _node(path: Path, obj: Any, old: Any) -> Node:
    """An object under its name, with what it held."""
    if path.is_namespace:
        owner = path.owner
        is_namespace = is_a(owner, (type, types.ModuleType, types.FunctionType))
        state = of_namespace(owner, old) if is_namespace else {**in_slots(owner), **old}
        return _noted(path, owner, "attributes", state)
    if type(old) is dict and not is_a(obj, dict):
        return _noted(path, obj, "attributes", {**(attributes(obj) or {}), **old})
    return _noted(path, obj, "items" if is_a(obj, dict) else "whole", old)


def _noted(path: Path, obj: Any, sort: Sort, state: Any) -> Node:
    node = Node(obj, path.text, sort, state, True, path.reach)
    node.foreign = True
    return node
