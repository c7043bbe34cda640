"""Reading an object without running code of the suite: a shallow copy of what it holds, and putting that back."""

from __future__ import annotations

import collections
import itertools
import random
import re
import threading
import types
from typing import Any, Callable, Dict, List, Literal, Mapping, Optional, Tuple, Type

from . import file_objects, iterators
from .file_objects import is_file_object
from .iterators import is_iterator
from .places import MISSING, is_a, namespace, same

FOREIGN = ("_pytest", "pytest", "pluggy", "jostle_harness", "xdist", "importlib", "logging", "_frozen_importlib")
#: The classes of :mod:`threading`'s locks.
LOCKS = (type(threading.Lock()), type(threading.RLock()))
_OF_CLASS = re.compile(
    "__(dict|weakref|doc|module|annotations|annotate|annotate_func|annotations_cache|static_attributes|firstlineno|"
    "parameters|orig_bases|abstractmethods|qualname|name)__|_abc_impl|_abc_"
)
OF_MODULE = re.compile(r"__\w+__$|@py_builtins|@pytest_ar|pytestmark$")


#: How an object is read: its attributes, the items of a dictionary, or the whole of anything else.
Sort = Literal["attributes", "items", "whole"]


class Node:
    """A mutable object and what it held."""

    __slots__ = (
        "expression",
        "foreign",
        "holding",
        "low_confidence",
        "obj",
        "path",
        "reach",
        "rebind",
        "sort",
        "state",
    )

    def __init__(self, obj: Any, path: str, sort: Sort, state: Any, low_confidence: bool, reach: Optional[str]) -> None:
        self.obj = obj
        #: What holds its state, and is kept alive, as it is known by where it lies.
        self.holding: object = holding(obj, sort)
        self.path = path
        self.sort: Sort = sort
        #: What :func:`read` made of it.
        self.state = state
        self.low_confidence = low_confidence
        #: The module that an import brings, if the path is an expression in it.
        self.reach = reach
        #: Binds another object in its stead, for what cannot be changed in place.
        self.rebind: Optional[Callable[[Any], None]] = None
        #: What a developer would type for it, where that is not its path.
        self.expression: Optional[str] = None
        #: Whether its attributes are the business of a class that is not the project's.
        self.foreign = False


def holding(obj: object, sort: Sort) -> object:
    """What holds the state of an object: the dictionary of its attributes, which others may share, or itself, as do classes
    and functions."""
    if sort != "attributes" or is_a(obj, (type, types.FunctionType)):
        return obj
    found = namespace(obj) if is_a(obj, types.ModuleType) else attributes(obj)
    return obj if found is None else found


def identity(obj: object, sort: Sort) -> int:
    """What tells the state of an object from that of others, as long as it lives."""
    return id(holding(obj, sort))


def sort_of(obj: object) -> Optional[Sort]:
    """How an object is read; nothing if it is not looked into."""
    kind = type(obj)
    if is_a(obj, dict):
        return "items"
    if is_a(obj, (list, set, bytearray, collections.deque, random.Random)) or kind in LOCKS:
        return "whole"
    if hasattr(kind, "cache_clear") and hasattr(kind, "cache_info"):
        return "whole"
    if kind is itertools.count or kind is types.GeneratorType or is_file_object(kind) or is_iterator(kind):
        return "whole"
    module = str(kind.__module__)
    if is_a(obj, types.ModuleType) or module.split(".")[0] in FOREIGN or module == "os":
        return None
    return "attributes" if attributes(obj) is not None or slots(type(obj)) else None


def attributes(obj: object) -> Optional[Dict[str, Any]]:
    """The dictionary that holds an object's attributes, past any code of the suite but a property of that name."""
    try:
        if is_a(obj, threading.local):
            return threading.local.__getattribute__(obj, "__dict__")  # type: ignore[no-any-return]
        found = object.__getattribute__(obj, "__dict__")
    except Exception:
        return None
    return found if is_a(found, dict) else None


#: What :func:`slots` has found, by the class's identity: a metaclass may have a hash of its own.
_slots: Dict[int, Tuple[type, Dict[str, types.MemberDescriptorType]]] = {}


def slots(kind: type) -> Dict[str, types.MemberDescriptorType]:
    """What holds the attributes for which objects of a class have slots, by their names."""
    known = _slots.get(id(kind))
    if known is not None and known[0] is kind:
        return known[1]
    found: Dict[str, types.MemberDescriptorType] = {}
    for base in type.__dict__["__mro__"].__get__(kind) or ():  # none before a type of C code is ready
        own = type.__dict__["__dict__"].__get__(base)
        if "__slots__" in own:
            of_base = {name: slot for name, slot in own.items() if type(slot) is types.MemberDescriptorType}
            found = {**of_base, **found}
    _slots[id(kind)] = (kind, found)
    return found


def slot_value(slot: types.MemberDescriptorType, obj: object) -> object:
    """What an object holds in a slot."""
    try:
        return slot.__get__(obj, type(obj))
    except (AttributeError, TypeError):  # it was not given a value, lost it, or the slot is another class's
        return MISSING


def attribute(obj: object, name: str) -> object:
    """What an object, which is no class, holds under a name itself."""
    slot = slots(type(obj)).get(name)
    return (attributes(obj) or {}).get(name, MISSING) if slot is None else slot_value(slot, obj)


def is_plain(obj: object) -> bool:
    """Whether ``!=`` tells two states of an object apart without running code of the suite."""
    return not is_a(obj, (list, collections.deque, types.CellType))


def in_slots(obj: object) -> Dict[str, Any]:
    """What an object, which is no class, holds in slots."""
    held = {name: slot_value(slot, obj) for name, slot in slots(type(obj)).items()}
    return {name: value for name, value in held.items() if value is not MISSING}


def of_namespace(obj: object, held: Mapping[str, Any]) -> Dict[str, Any]:
    """What of a namespace is state of its class, module or function, and not Python's own or pytest's."""
    if is_a(obj, types.FunctionType):
        return dict(held)
    python = _OF_CLASS if is_a(obj, type) else OF_MODULE
    return {name: value for name, value in held.items() if not python.match(name)}


def read(obj: Any, sort: Sort) -> Any:
    """A shallow copy of what an object holds."""
    if sort == "items":
        return dict(dict.items(obj))
    if sort == "attributes":
        if is_a(obj, (type, types.ModuleType, types.FunctionType)):
            return of_namespace(obj, namespace(obj))
        return {**in_slots(obj), **(attributes(obj) or {})}
    if is_a(obj, (list, collections.deque)):
        return list(obj)
    if is_a(obj, set):
        return set(obj)
    if is_a(obj, bytearray):
        return bytes(obj)
    if is_a(obj, random.Random):
        return obj.getstate()
    if is_a(obj, types.CellType):
        try:
            return [obj.cell_contents]
        except ValueError:  # not bound
            return []
    if type(obj) in LOCKS:
        return _is_locked(obj)
    if is_file_object(type(obj)):
        return file_objects.read(obj)
    if is_iterator(type(obj)):
        return iterators.Left(obj)
    if is_a(obj, itertools.count):
        return repr(obj)
    if is_a(obj, types.GeneratorType):
        return "exhausted" if obj.gi_frame is None else f"at byte {obj.gi_frame.f_lasti} of its code"
    info = obj.cache_info()
    return (info.currsize, info.misses)


def is_cut_off(state: object) -> bool:
    """Whether an object held more than was kept of it."""
    return type(state) in (file_objects.Held, iterators.Left) and state.is_cut_off  # type: ignore[attr-defined]


def read_again(node: Node) -> Any:
    """What a noted object holds by now; nothing if it is broken, and cannot be told from the outside."""
    try:
        return read(node.obj, node.sort)
    except Exception:
        return None


def _is_locked(lock: Any) -> bool:
    if hasattr(lock, "locked"):
        return bool(lock.locked())
    if lock.acquire(blocking=False):  # a reentrant lock; that this thread holds it is seen in its repr alone
        lock.release()
        return "count=0" not in repr(lock)
    return True


def same_list(old: List[object], new: List[object]) -> bool:
    """Whether two lists hold the same values."""
    return len(old) == len(new) and all(same(a, b) for a, b in zip(old, new))


def binder(node: Node, key: Any) -> Callable[[object], None]:
    """What binds another value to a slot of an object, and takes it for what was there."""

    def bind(value: object) -> None:
        _put(node.obj, node.sort, key, value)
        node.state[key] = value

    return bind


def cell_binder(node: Node) -> Callable[[object], None]:
    """What gives a variable that a function encloses another value, and takes it for what was there."""

    def bind(value: object) -> None:
        node.obj.cell_contents = value
        node.state = [value]

    return bind


def replacer(node: Node, make: Callable[[], Any]) -> Optional[Callable[[], None]]:
    """What binds another object in the stead of one that cannot be put back; nothing if nobody knows where to."""
    rebind = node.rebind
    if rebind is None:
        return None

    def replace() -> None:
        node.obj = make()
        rebind(node.obj)

    return replace


def restorer(obj: object, sort: Sort, key: Any, value: object) -> Callable[[], None]:
    """What binds a value to a slot of an object."""
    return lambda: _put(obj, sort, key, value)


def _put(obj: object, sort: Sort, key: Any, value: object) -> None:
    """Bind a value to a slot, or take the slot away, past any code of the suite."""
    if is_a(obj, type):
        if value is MISSING:
            type.__delattr__(obj, key)
        else:
            type.__setattr__(obj, key, value)
        return
    slot = slots(type(obj)).get(key) if sort == "attributes" else None
    if slot is not None:
        if value is not MISSING:
            slot.__set__(obj, value)
        elif slot_value(slot, obj) is not MISSING:
            slot.__delete__(obj)
        return
    target: Any = obj if sort == "items" else namespace(obj) if is_a(obj, types.ModuleType) else attributes(obj)
    if value is MISSING:
        _base(target).pop(target, key, None)
    else:
        _base(target).__setitem__(target, key, value)


def refill(held: Dict[Any, Any], items: Dict[Any, Any]) -> None:
    """Give a dictionary these items and no others, past any code of the suite."""
    _base(held).clear(held)
    _base(held).update(held, items)


def _base(held: object) -> Type[Dict[Any, Any]]:
    """The class of Python's own whose methods a dictionary is changed by: an ordered one keeps its order apart."""
    return collections.OrderedDict if is_a(held, collections.OrderedDict) else dict
