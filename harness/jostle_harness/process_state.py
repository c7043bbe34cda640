"""The process's state outside the project's objects, after CPython's ``Lib/test/libregrtest/save_env.py``."""

from __future__ import annotations

import contextlib
import decimal
import locale
import logging
import os
import random
import re
import signal
import socket
import sys
import threading
import time
import types
import warnings
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, NamedTuple, Optional, Set, Tuple

from .messages import How, Kind, RestoreRecipe
from .places import MISSING, Place, is_a, same, show
from .streams import Streams

if TYPE_CHECKING:
    from _pytest.capture import CaptureManager

#: What pytest itself sets for each test.
_OF_PYTEST = frozenset({"PYTEST_CURRENT_TEST", "COLUMNS", "LINES"})
#: What has the C library look at ``TZ`` again: else it keeps the zone it had read there.
_ZONE_SETTER = "time.tzset()" if hasattr(time, "tzset") else None
#: What :func:`time.tzset` sets; one place, told as the first of these.
_OF_ZONE = frozenset({"time.tzname", "time.timezone", "time.altzone", "time.daylight"})
_FDS = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"


#: What gives a value, and what sets it.
_Access = Tuple[Callable[[], Any], Callable[[Any], Any]]


class _Setting(NamedTuple):
    """A single value of the process."""

    name: str
    kind: Kind
    get: Callable[[], Any]
    put: Optional[Callable[[Any], Any]]
    low_confidence: bool = False
    #: Whether the values say something to a reader.
    telling: bool = True
    #: The object that holds the values, if it is one.
    held: object = None
    #: What is said of a value that cannot be had.
    missing: str = "(absent)"

    def show(self, value: object) -> str:
        """A value for a reader."""
        return self.missing if value is MISSING else show(value)


class ProcessState:
    """The process's state as it was when this was made."""

    def __init__(self, capture: Optional[CaptureManager] = None) -> None:
        self.streams = Streams(capture)
        self._settings = list(_settings())
        self._values = [_get(setting) for setting in self._settings]
        self._environ = dict(os.environ)
        self._modules = dict(sys.modules)
        self._loggers = set(logging.root.manager.loggerDict)
        self._threads = set(threading.enumerate())
        self._descriptors = _descriptors()

    def held(self) -> Iterator[object]:
        """The tables and lists that are watched here, whatever names others have for them."""
        yield sys.modules
        yield os.environ._data  # type: ignore[attr-defined]
        yield from (setting.held for setting in self._settings if setting.held is not None)

    def covers(self, name: str) -> bool:
        """Whether an attribute of this name is told here, as a part of another place."""
        return name in _OF_ZONE or self.streams.covers(name)

    def probe(self, name: str) -> Optional[Callable[[], Any]]:
        """What gives the value of the place of this name now, if it is one of these."""
        for table, held in (("os.environ", os.environ), ("sys.modules", sys.modules)):
            if name.startswith(f'{table}["') and name.endswith('"]'):
                return _getter(held, name[len(table) + 2 : -2])
        get = next((setting.get for setting in self._settings if setting.name == name), None)
        return self.streams.probe(name) if get is None else _safe(get)

    def changes(self, is_own: Callable[[str], bool]) -> Iterator[Place]:
        """What differs by now."""
        yield from self.streams.changes()
        yield from self._changed_environ()
        yield from self._changed_modules(is_own)
        for setting, old in zip(self._settings, self._values):
            new = _get(setting)
            if not (same(old, new) or _equal(old, new)):
                shown = (setting.show(old), setting.show(new)) if setting.telling else ("its state", "another state")
                restore = None if setting.put is None else _putter(setting.put, old)
                along = _ZONE_SETTER if setting.name in _OF_ZONE else None
                yield Place(
                    setting.name, setting.kind, *shown, restore, setting.low_confidence, _recipe(setting), along
                )
        for thread in threading.enumerate():
            if thread not in self._threads:
                yield Place(f"thread {thread.name}", "thread", "(absent)", "alive", None, True)
        for descriptor in sorted(_descriptors() - self._descriptors - {0, 1, 2}):
            name = f"descriptor {descriptor}"
            yield Place(name, "descriptor", "closed", f"open: {_target(descriptor)}", None, True)

    def _changed_environ(self) -> Iterator[Place]:
        now = dict(os.environ)
        for key in sorted({*self._environ, *now} - _OF_PYTEST):
            old, new = self._environ.get(key, MISSING), now.get(key, MISSING)
            if old != new:
                of_locale = key in ("TZ", "LANG") or key.startswith("LC_")
                kind: Kind = "locale/time zone" if of_locale else "environment"
                recipe: RestoreRecipe = {"how": "environ", "key": key}
                along = _ZONE_SETTER if key == "TZ" else None
                name, restore = f'os.environ["{key}"]', _environ_putter(key, old)
                yield Place(name, kind, show(old), show(new), restore, recipe=recipe, along=along)

    def _changed_modules(self, is_own: Callable[[str], bool]) -> Iterator[Place]:
        now = dict(sys.modules)
        for name in sorted({*self._modules, *now}):
            old, new = self._modules.get(name, MISSING), now.get(name, MISSING)
            if old is not new:
                imported = old is MISSING and is_a(new, types.ModuleType) and hasattr(new, "__spec__")
                low_confidence = imported and getattr(new, "__spec__", None) is not None
                restore = _modules_putter(name, old)
                recipe: RestoreRecipe = {"how": "modules", "key": name}
                kind: Kind = "import-time" if low_confidence and is_own(name) else "module table"
                yield Place(f'sys.modules["{name}"]', kind, show(old), show(new), restore, low_confidence, recipe)


def _getter(held: Any, key: str) -> Callable[[], Any]:
    return lambda: held.get(key, MISSING)


def _get(setting: _Setting) -> Any:
    return _safe(setting.get)()


def _safe(get: Callable[[], Any]) -> Callable[[], Any]:
    """A way to a value that does not fail."""

    def safe() -> Any:
        try:
            return get()
        except Exception:  # a folder that is gone, a handler that is none
            return MISSING

    return safe


def _equal(old: object, new: object) -> bool:
    """Whether two lists hold the same objects."""
    if type(old) is not type(new) or not isinstance(old, (list, tuple)) or not isinstance(new, (list, tuple)):
        return False
    return len(old) == len(new) and all(same(a, b) or _equal(a, b) for a, b in zip(old, new))


def _putter(put: Callable[[Any], Any], value: Any) -> Callable[[], None]:
    def restore() -> None:
        put(value)

    return restore


def _environ_putter(key: str, old: Any) -> Callable[[], None]:
    def restore() -> None:
        if old is MISSING:
            os.environ.pop(key, None)
        else:
            os.environ[key] = old
        if key == "TZ" and _ZONE_SETTER is not None:
            time.tzset()

    return restore


def _modules_putter(name: str, old: Any) -> Callable[[], None]:
    def restore() -> None:
        if old is MISSING:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = old

    return restore


#: Settings that a fixture of their own keeps.
_KEEPERS: Dict[str, How] = {
    "os.getcwd()": "cwd",
    "random": "random",
    "sys.path": "path",
    "locale": "locale",
    "logging.root.manager.disable": "disable",
    "time.tzname": "zone",
}
#: What may be set on an object that the standard library hands out, and lists of it.
_ATTRIBUTE = re.compile(r"((decimal|logging)\..*)\.(prec|rounding|E\w+|capitals|clamp|disabled|propagate)$")
_LIST = re.compile(r"(logging|warnings|sys)\..*(handlers|filters|argv|meta_path|path_hooks)$")


def _recipe(setting: _Setting) -> Optional[RestoreRecipe]:
    """What a fixture that keeps a setting needs to know, if one can."""
    name = setting.name
    if name in _KEEPERS:
        return {"how": _KEEPERS[name]}
    attribute = _ATTRIBUTE.match(name)
    if attribute is not None:
        held, module, slot = attribute.groups()
        return {"how": "attribute", "module": module, "object": held, "attribute": slot}
    found = _LIST.match(name)
    if found is not None:
        return {"how": "list", "module": found.group(1), "object": name}
    if name.startswith("logging.getLogger(") and name.endswith(".level"):
        return {"how": "level", "object": name[: -len(".level")]}
    return None


def _settings() -> Iterator[_Setting]:
    gone = "a folder that is gone"
    yield _Setting("os.getcwd()", "environment", os.getcwd, os.chdir, missing=gone)
    for name in ("path", "argv", "meta_path", "path_hooks"):
        held = getattr(sys, name)
        yield _Setting(f"sys.{name}", "module table", _lister(held), _list_putter(held), held=held)
    yield _Setting("umask", "environment", _umask, os.umask)
    yield _Setting("locale", "locale/time zone", _locale, _set_locale)
    if _ZONE_SETTER is not None:
        yield _Setting("time.tzname", "locale/time zone", _zone, lambda _: time.tzset())
    for number in sorted(signal.valid_signals()):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            yield _Setting(_signal_name(number), "signal handler", *_signal(number))
    yield _Setting(
        "warnings.filters", "logging/warnings", _lister(warnings.filters), _set_filters, held=warnings.filters
    )
    yield from _decimal()
    yield from _logging()
    yield _Setting("random", "random state", random.getstate, random.setstate, True, False, held=random._inst)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        random_state = numpy.random
        get, put = random_state.get_state, random_state.set_state
        yield _Setting("numpy.random", "random state", lambda: repr(get()), _numpy_putter(get(), put), True, False)
    yield _Setting("socket.getdefaulttimeout()", "global/module state", *_socket_timeout())
    yield _Setting("sys.getrecursionlimit()", "global/module state", sys.getrecursionlimit, sys.setrecursionlimit)


def _lister(held: Any) -> Callable[[], Any]:
    return lambda: list(held)


def _list_putter(held: Any) -> Callable[[Any], None]:
    return lambda value: held.__setitem__(slice(None), value)


def _numpy_putter(state: Any, put: Callable[[Any], Any]) -> Callable[[Any], None]:
    return lambda _: put(state)


def _set_filters(value: Any) -> None:
    warnings.filters[:] = value  # type: ignore[index]
    warnings._filters_mutated_lock_held() if hasattr(warnings, "_filters_mutated_lock_held") else _mutated()


def _mutated() -> None:
    mutated = getattr(warnings, "_filters_mutated", None)
    if mutated is not None:
        mutated()


def _umask() -> int:
    now = os.umask(0o77)
    os.umask(now)
    return now


def _locale() -> str:
    return locale.setlocale(locale.LC_ALL)


def _zone() -> Tuple[str, str, int]:
    return (*time.tzname, time.timezone)


def _set_locale(value: str) -> None:
    locale.setlocale(locale.LC_ALL, value)


def _signal_name(number: int) -> str:
    return (
        f"signal.getsignal(signal.{signal.Signals(number).name})"
        if number in list(signal.Signals)
        else f"signal {number}"
    )


def _signal(number: int) -> _Access:
    return lambda: signal.getsignal(number), lambda value: signal.signal(number, value)


def _socket_timeout() -> _Access:
    return socket.getdefaulttimeout, socket.setdefaulttimeout


def _decimal() -> Iterator[_Setting]:
    for name in ("prec", "rounding", "Emin", "Emax", "capitals", "clamp"):
        yield _Setting(f"decimal.getcontext().{name}", "global/module state", *_attribute(decimal.getcontext(), name))


def _attribute(obj: object, name: str) -> _Access:
    return lambda: getattr(obj, name), lambda value: setattr(obj, name, value)


def _logging() -> Iterator[_Setting]:
    manager = logging.root.manager
    # Loggers remember which levels are enabled, which these functions make them forget.
    yield _Setting("logging.root.manager.disable", "logging/warnings", lambda: manager.disable, logging.disable)
    loggers: Dict[str, Any] = {"": logging.root, **logging.root.manager.loggerDict}
    for name, logger in list(loggers.items()):
        if isinstance(logger, logging.Logger):
            path = f'logging.getLogger("{name}")' if name else "logging.getLogger()"
            level = _attribute(logger, "level")[0]
            yield _Setting(f"{path}.level", "logging/warnings", level, logger.setLevel)
            for attribute in ("disabled", "propagate"):
                yield _Setting(f"{path}.{attribute}", "logging/warnings", *_attribute(logger, attribute))
            for attribute in ("handlers", "filters"):
                held = getattr(logger, attribute)
                yield _Setting(f"{path}.{attribute}", "logging/warnings", _lister(held), _list_putter(held), held=held)


def _descriptors() -> Set[int]:
    found = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(_FDS):
            with contextlib.suppress(OSError, ValueError):
                os.fstat(int(name))
                found.add(int(name))
    return found


def _target(descriptor: int) -> str:
    with contextlib.suppress(OSError):
        return os.readlink(f"{_FDS}/{descriptor}").split(":")[0]
    return "unknown"
