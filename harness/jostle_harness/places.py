"""Places of shared state: what a developer would type to name one, and how its value is shown.

A value is shown without running any code of the suite: a ``__repr__`` may be broken, slow, huge or have effects.
"""

from __future__ import annotations

import itertools
import os
import types
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    Optional,
    Set,
    Tuple,
    Type,
    TypeVar,
    Union,
    overload,
)

from . import messages
from .channel import text
from .stable import is_stable, stable

if TYPE_CHECKING:
    from typing_extensions import TypeIs

_T = TypeVar("_T")
_U = TypeVar("_U")
_V = TypeVar("_V")

_MOST = 120
#: Larger numbers are addresses and threads, and other ones in the next run.
_NAMING_BITS = 31
_ITEMS = 5
_DEPTH = 3
#: Types whose ``repr`` is known to be short and without effects.
_PLAIN_MODULES = frozenset({"datetime", "decimal", "fractions", "uuid", "pathlib", "pathlib._local", "ipaddress"})
_OPEN_CLOSE: Dict[type, Tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
}


class Missing:
    """Stands for the absence of a value."""

    def __repr__(self) -> str:
        return "(absent)"


MISSING = Missing()


class Place:
    """A place whose value has changed."""

    def __init__(
        self,
        name: str,
        kind: messages.Kind,
        old: str,
        new: str,
        restore: Optional[Callable[[], None]],
        low_confidence: bool = False,
        recipe: Optional[messages.RestoreRecipe] = None,
        along: Optional[str] = None,
    ) -> None:
        #: As a developer would write it; the same in every process that runs the same tests.
        self.name = stable(name)
        #: The field's word for this sort of state.
        self.kind: messages.Kind = kind
        self.old = stable(old)
        self.new = stable(new)
        #: Puts the old value back, in place where that can be. Nothing if it cannot be put back.
        self.restore = restore
        #: Whether it changes in many healthy suites, or its restoring disturbs others.
        self.low_confidence = low_confidence
        #: Whether an object of a library holds it, far from the project's own.
        self.in_library = False
        #: Whether all that has changed of it is told by its entries as well.
        self.told_by_items = False
        #: What a fixture needs to know to keep it.
        self.recipe = recipe
        #: A call that is part of putting the value back.
        self.along = along

    def message(self) -> messages.Place:
        """The place as it is told to jostle."""
        return {
            "name": text(self.name),
            "kind": self.kind,
            "old": text(self.old),
            "new": text(self.new),
            "restorable": self.restore is not None,
            "low_confidence": self.low_confidence,
            "in_library": self.in_library,
            "told_by_items": self.told_by_items,
            "recipe": self.recipe,
            "along": self.along,
        }


@overload
def is_a(value: object, kind: Type[_T]) -> TypeIs[_T]: ...
@overload
def is_a(value: object, kind: Tuple[Type[_T], Type[_U]]) -> TypeIs[Union[_T, _U]]: ...
@overload
def is_a(value: object, kind: Tuple[Type[_T], Type[_U], Type[_V]]) -> TypeIs[Union[_T, _U, _V]]: ...
@overload
def is_a(value: object, kind: Tuple[type, ...]) -> bool: ...
def is_a(value: object, kind: Union[type, Tuple[type, ...]]) -> bool:
    """Whether a value is of a class, or of one of several. ``isinstance`` would ask the value as well.

    One that stands for another makes that for the answer, or fails: so do Django's lazy objects and Werkzeug's proxies.
    """
    return issubclass(type(value), kind)


_CLASS_DICTIONARY: Callable[[type], Any] = type.__dict__["__dict__"].__get__
_MODULE_DICTIONARY = _CLASS_DICTIONARY(types.ModuleType)["__dict__"].__get__
_CLASS_MODULE = type.__dict__["__module__"].__get__


def namespace(obj: Any) -> Any:
    """What a module, a class or a function holds by name. ``vars`` would have a module that is loaded late be loaded."""
    if is_a(obj, types.ModuleType):
        return _MODULE_DICTIONARY(obj)
    return _CLASS_DICTIONARY(obj) if is_a(obj, type) else obj.__dict__


def home_of(kind: type) -> str:
    """The module of a class, past what its metaclass says; nothing if it has none."""
    try:
        module = _CLASS_MODULE(kind)
    except AttributeError:  # made by C code that names none
        return ""
    return module if type(module) is str else ""


def is_atomic(value: object) -> bool:
    """Whether a value is immutable through and through, so that equality says it has not changed."""
    kind = type(value)
    if is_a(value, (tuple, frozenset)) and kind in (tuple, frozenset):
        return len(value) <= 100 and all(is_atomic(item) for item in value)
    return kind in (int, float, bool, str, bytes, complex, type(None))


def same(old: object, new: object) -> bool:
    """Whether two bindings hold the same value, as far as can be told without the suite's code."""
    if old is new:
        return True
    return type(old) is type(new) and is_atomic(old) and is_atomic(new) and old == new


def is_mock(value: object) -> bool:
    """Whether a value is one of :mod:`unittest.mock`'s."""
    return type(value).__module__ in ("unittest.mock", "mock", "mock.mock")


def key_name(key: object) -> str:
    """A key as it stands between the brackets."""
    if is_a(key, (type, types.FunctionType, types.BuiltinFunctionType)):
        return text(key.__qualname__)
    if type(key) is str and len(key) <= _MOST and key.isprintable() and '"' not in key and "\\" not in key:
        return f'"{stable(key)}"'
    return show(key, 1)


#: Parameters, and their texts, that are others in each process.
_passing: Set[object] = set()


def are_passing(values: Iterable[object]) -> None:
    """Take it that these values, and their texts, name nothing that a later run could find."""
    for value in filter(_is_simple, values):
        _passing.update((value, str(value)))


def _is_simple(value: object) -> bool:
    """Whether no code of the suite is run to compare or to show it."""
    return type(value) in (int, float, str, bytes) or type(value).__module__ in ("uuid", "datetime")


def names_its_item(key: object) -> bool:
    """Whether a key is the same in the next run and no other's name is the same."""
    if _passing and _is_simple(key) and key in _passing:
        return False
    if type(key) is str:
        return is_stable(key) and len(key) <= _MOST
    if type(key) is int and (key.bit_length() > _NAMING_BITS or key == os.getpid()):
        return False  # what lies there in memory, a thread or a process
    shown = key_name(key)
    return is_stable(shown) and not any(symbol in shown for symbol in ("…", "$TMPDIR"))


def show(value: object, depth: int = 0) -> str:
    """A value in one short line."""
    shown = stable(_show(value, depth))
    if depth == 0:
        shown = text(shown.replace("\n", "\\n"))
    return shown if len(shown) <= _MOST else shown[: _MOST - 1] + "…"


def _show(value: Any, depth: int) -> str:
    kind = type(value)
    if value is MISSING:
        return "(absent)"
    if kind in (int, float, bool, complex, type(None)):
        return "a large int" if kind is int and value.bit_length() > 400 else repr(value)
    if kind is str:
        value = stable(value[: 20 * _MOST])
    if kind in (str, bytes, bytearray):
        return repr(value[:_MOST]) + ("…" if len(value) > _MOST else "")
    if kind is dict:
        items = [f"{show(k, depth + 1)}: {_inner(v, depth)}" for k, v in _first(value.items())]
        return "{" + _joined(items, len(value)) + "}"
    if kind in _OPEN_CLOSE:
        opening, closing = _OPEN_CLOSE[kind]
        items = [_inner(item, depth) for item in _first(value)]
        if kind in (set, frozenset):
            items = sorted(items)
            if not items:
                return f"{kind.__name__}()"
        comma = "," if kind is tuple and len(value) == 1 else ""
        return opening + _joined(items, len(value)) + comma + closing
    if is_a(value, type):
        return f"<class {_qualified(value)}>"
    if is_a(value, (types.FunctionType, types.BuiltinFunctionType)):
        module = "" if value.__module__ is None else f"{value.__module__}."
        return f"<function {module}{value.__qualname__}>"
    if is_a(value, types.ModuleType):
        return f"<module {namespace(value).get('__name__')}>"
    if kind.__module__ in _PLAIN_MODULES:
        return repr(value)
    return _instance(value, depth)


def _inner(value: object, depth: int) -> str:
    return "…" if depth >= _DEPTH else show(value, depth + 1)


def _first(items: Iterable[_T]) -> List[_T]:
    return list(itertools.islice(items, _ITEMS))


def _joined(items: List[str], size: int) -> str:
    more = size - len(items)
    return ", ".join(items) + (f", … {more} more" if more > 0 else "")


def _qualified(kind: type) -> str:
    module = namespace(kind).get("__module__", "builtins")
    name = type.__dict__["__qualname__"].__get__(kind)
    return name if module == "builtins" or not is_a(module, str) else f"{module}.{name}"


def _instance(value: object, depth: int) -> str:
    name = _qualified(type(value))
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except Exception:
        attributes = None
    if type(attributes) is not dict or not attributes or depth >= _DEPTH - 1 or is_mock(value):
        return f"<{name} object>"
    shown = [f"{k}={_inner(v, depth + 1)}" for k, v in _first(list(attributes.items()))]
    return f"<{name} {_joined(shown, len(attributes))}>"
