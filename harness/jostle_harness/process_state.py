"""The process's state outside the project's objects, after CPython's ``Lib/test/libregrtest/save_env.py``."""

from __future__ import annotations

import logging
import os
import re
import sys
import time
import types
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Optional, Tuple

from .messages import Kind, RestoreRecipe
from .places import MISSING, Place, is_a, same, show
from .settings import FRESH_LOGGER, OF_ZONE, ZONE_SETTER, Setting, of_logger, recipe_of, settings
from .streams import Streams
from .unseen import import_unseen

if TYPE_CHECKING:
    from _pytest.capture import CaptureManager

#: What pytest itself sets for each test.
_OF_PYTEST = frozenset({"PYTEST_CURRENT_TEST", "COLUMNS", "LINES"})


#: What pytest sets where a test fails, for debuggers.
_OF_FAILURE = frozenset({"sys.last_type", "sys.last_value", "sys.last_traceback", "sys.last_exc"})


class ProcessState:
    """The process's state as it was when this was made."""

    def __init__(self, capture: Optional[CaptureManager] = None) -> None:
        self.streams = Streams(capture)
        self._settings = list(settings())
        self._values = [_get(setting) for setting in self._settings]
        self._environ = dict(os.environ)
        self._c_environ = _c_environ()
        self._modules = dict(sys.modules)
        self._loggers = set(logging.root.manager.loggerDict)

    def held(self) -> Iterator[object]:
        """The tables and lists that are watched here, whatever names others have for them."""
        yield sys.modules
        yield getattr(os.environ, "_data", None)
        yield from (setting.held for setting in self._settings if setting.held is not None)
        yield from self.streams.held()

    def leave_out(self, name: str) -> None:
        """Tell nothing of a setting."""
        kept = [(setting, value) for setting, value in zip(self._settings, self._values) if setting.name != name]
        self._settings, self._values = [setting for setting, _ in kept], [value for _, value in kept]

    def covers(self, name: str) -> bool:
        """Whether an attribute of this name is told here, as a part of another place, or is what pytest notes of a failure."""
        return name in OF_ZONE or name in _OF_FAILURE or self.streams.covers(name)

    def probe(self, name: str) -> Optional[Callable[[], Any]]:
        """What gives the value of the place of this name now, if it is one of these."""
        for table, held in (("os.environ", os.environ), ("sys.modules", sys.modules)):
            if name.startswith(f'{table}["') and name.endswith('"]'):
                return _getter(held, name[len(table) + 2 : -2])
        if name.startswith('os.putenv("') and name.endswith('")'):
            return lambda: _c_environ().get(name[len('os.putenv("') : -2], MISSING)
        get = next((setting.get for setting in self._settings if setting.name == name), None)
        if get is None:
            return self.streams.probe(name) or _probe_of_logger(name)
        return _safe(get)

    def changes(self, is_own: Callable[[str], bool]) -> Iterator[Place]:
        """What differs by now."""
        yield from self.streams.changes()
        yield from self._changed_environ()
        yield from self._changed_modules(is_own)
        for setting, old in [*zip(self._settings, self._values), *self._new_loggers()]:
            new = _get(setting)
            if not (same(old, new) or _equal(old, new) if setting.telling else _is_state(old, new)):
                shown = (setting.show(old), setting.show(new)) if setting.telling else ("its state", "another state")
                restore = None if setting.put is None else _putter(setting.put, old)
                along = ZONE_SETTER if setting.name in OF_ZONE else None
                yield Place(
                    setting.name, setting.kind, *shown, restore, setting.low_confidence, recipe_of(setting), along
                )

    def _new_loggers(self) -> Iterator[Tuple[Setting, Any]]:
        """The settings of loggers that were not there, each with what it was when the logger was made."""
        for name, logger in sorted(logging.root.manager.loggerDict.items()):
            if name not in self._loggers and isinstance(logger, logging.Logger):
                for setting in of_logger(name, logger):
                    yield setting, FRESH_LOGGER[setting.name.rpartition(".")[2]]

    def _changed_environ(self) -> Iterator[Place]:
        now = dict(os.environ)
        for key in sorted({*self._environ, *now} - _OF_PYTEST):
            old, new = self._environ.get(key, MISSING), now.get(key, MISSING)
            if old != new:
                of_locale = key in ("TZ", "LANG") or key.startswith("LC_")
                kind: Kind = "locale/time zone" if of_locale else "environment"
                recipe: RestoreRecipe = {"how": "environ", "key": key}
                along = ZONE_SETTER if key == "TZ" else None
                name, restore = f'os.environ["{key}"]', _environ_putter(key, old)
                yield Place(name, kind, show(old), show(new), restore, recipe=recipe, along=along)

        # What was put there past `os.environ` is seen by other programs and by C code alone.
        of_c = _c_environ()
        for key in sorted({*self._c_environ, *of_c}):
            old, new = self._c_environ.get(key, MISSING), of_c.get(key, MISSING)
            if old != new and new != now.get(key, MISSING):
                yield Place(f'os.putenv("{key}")', "environment", show(old), show(new), _c_putter(key, old))

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


def _probe_of_logger(name: str) -> Optional[Callable[[], Any]]:
    """What tells of a setting of a logger that may not be made yet."""
    match = re.match(r'logging\.getLogger\("(.*)"\)\.(\w+)$', name)
    if match is None or match.group(2) not in FRESH_LOGGER:
        return None

    def probe() -> Any:
        logger = logging.root.manager.loggerDict.get(match.group(1))
        value = getattr(logger, match.group(2), FRESH_LOGGER[match.group(2)])
        return tuple(map(id, value)) if type(value) is list else value

    return probe


def _getter(held: Any, key: str) -> Callable[[], Any]:
    return lambda: held.get(key, MISSING)


def _get(setting: Setting) -> Any:
    return _safe(setting.get)()


def _safe(get: Callable[[], Any]) -> Callable[[], Any]:
    """A way to a value that does not fail."""

    def safe() -> Any:
        try:
            return get()
        except Exception:  # a folder that is gone, a handler that is none
            return MISSING

    return safe


def _is_state(old: object, new: object) -> bool:
    """Whether a generator's state, which is hundreds of numbers or their text, is the same."""
    return old is new or type(old) is type(new) and type(old) in (tuple, str) and old == new


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
        if key == "TZ" and ZONE_SETTER is not None:
            time.tzset()

    return restore


def _c_environ() -> Dict[str, str]:
    """The environment as the C library has it."""
    ctypes: Any = import_unseen("ctypes")
    found: Dict[str, str] = {}
    try:
        variables = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
        at = 0
        while variables and variables[at] is not None:
            key, _, value = os.fsdecode(variables[at]).partition("=")
            found.setdefault(key, value)
            at += 1
    except (OSError, ValueError):  # a C library that has it elsewhere
        return {}
    return found


def _c_putter(key: str, old: Any) -> Callable[[], None]:
    return lambda: os.unsetenv(key) if old is MISSING else os.putenv(key, old)


def _modules_putter(name: str, old: Any) -> Callable[[], None]:
    def restore() -> None:
        if old is MISSING:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = old

    return restore
