"""What the process, the interpreter and libraries hold behind a getter and a setter, as one value each."""

from __future__ import annotations

import atexit
import codecs
import contextlib
import decimal
import faulthandler
import gc
import linecache
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
from typing import Any, Callable, Dict, Iterator, NamedTuple, Optional, Tuple

from . import collector
from .messages import How, Kind, RestoreRecipe
from .places import MISSING, namespace, show
from .unseen import import_unseen

#: What has the C library look at ``TZ`` again: else it keeps the zone it had read there.
ZONE_SETTER = "time.tzset()" if hasattr(time, "tzset") else None
#: What :func:`time.tzset` sets; one place, told as the first of these.
OF_ZONE = frozenset({"time.tzname", "time.timezone", "time.altzone", "time.daylight"})
_GLOBAL: Kind = "global/module state"
#: What Python has by itself for what cannot be encoded or decoded.
ERROR_HANDLERS = (
    "strict",
    "ignore",
    "replace",
    "xmlcharrefreplace",
    "backslashreplace",
    "namereplace",
    "surrogateescape",
    "surrogatepass",
)


#: What gives a value, and what sets it.
_Access = Tuple[Callable[[], Any], Callable[[Any], Any]]


class Setting(NamedTuple):
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
    #: How a fixture would set it, if the name is what gets it: a function of one argument.
    setter: Optional[str] = None

    def show(self, value: object) -> str:
        """A value for a reader."""
        return self.missing if value is MISSING else show(value)


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


def recipe_of(setting: Setting) -> Optional[RestoreRecipe]:
    """What a fixture that keeps a setting needs to know, if one can."""
    name = setting.name
    if setting.setter is not None:
        module = name.partition("(")[0].rpartition(".")[0]
        recipe: RestoreRecipe = {"how": "setting", "module": module, "object": name, "value": setting.setter}
        return recipe
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


def settings() -> Iterator[Setting]:
    """All settings, but for those that something in a module's place does not have."""
    for part in (_python, _interpreter, _system, _libraries):
        with contextlib.suppress(Exception):
            yield from part()


def _python() -> Iterator[Setting]:
    gone = "a folder that is gone"
    yield Setting("os.getcwd()", "environment", os.getcwd, os.chdir, missing=gone)
    for name in ("path", "argv", "meta_path", "path_hooks"):
        held = getattr(sys, name)
        yield Setting(f"sys.{name}", "module table", _lister(held), _list_putter(held), held=held)
    yield Setting("umask", "environment", _umask, os.umask)
    yield Setting("locale", "locale/time zone", _locale, _set_locale)
    if ZONE_SETTER is not None:
        yield Setting("time.tzname", "locale/time zone", _zone, lambda _: time.tzset())
    for number in sorted(signal.valid_signals()):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            yield Setting(_signal_name(number), "signal handler", *_signal(number))
    yield Setting(
        "warnings.filters", "logging/warnings", _lister(warnings.filters), _set_filters, held=warnings.filters
    )
    yield from _decimal()
    yield from _logging()
    yield Setting("random", "random state", random.getstate, random.setstate, True, False, held=random._inst)
    numpy = _loaded("numpy")
    if numpy is not None:
        random_state = numpy.random
        get, put = random_state.get_state, random_state.set_state
        yield Setting("numpy.random", "random state", lambda: repr(get()), _numpy_putter(get(), put), True, False)


def _loaded(name: str) -> Any:
    """A module that was imported; nothing for what a test has put in its place."""
    module = sys.modules.get(name)
    return module if type(module) is types.ModuleType and namespace(module).get("__spec__") is not None else None


def _lister(held: Any) -> Callable[[], Any]:
    return lambda: list(held)


def _list_putter(held: Any) -> Callable[[Any], None]:
    return lambda value: held.__setitem__(slice(None), value)


def _numpy_putter(state: Any, put: Callable[[Any], Any]) -> Callable[[Any], None]:
    return lambda _: put(state)


def _set_filters(value: Any) -> None:
    with getattr(warnings, "_lock", contextlib.nullcontext()):
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


def _by(module: Any, getter: str, setter: str) -> Iterator[Setting]:
    """A setting with a getter and a setter of a module's, if it has these; nothing in a Python or a library that has not."""
    get, put = getattr(module, getter, None), getattr(module, setter, None)
    if get is not None and put is not None:
        name = module.__name__
        yield Setting(f"{name}.{getter}()", _GLOBAL, get, put, setter=f"{name}.{setter}")


def _interpreter() -> Iterator[Setting]:
    yield from _by(socket, "getdefaulttimeout", "setdefaulttimeout")
    yield from _by(sys, "getrecursionlimit", "setrecursionlimit")
    yield from _by(sys, "getswitchinterval", "setswitchinterval")
    yield from _by(sys, "get_int_max_str_digits", "set_int_max_str_digits")
    yield from _by(sys, "get_coroutine_origin_tracking_depth", "set_coroutine_origin_tracking_depth")
    yield from _by(sys, "gettrace", "settrace")
    yield from _by(sys, "getprofile", "setprofile")
    yield Setting("threading.stack_size()", _GLOBAL, _stack_size, threading.stack_size)
    yield from _by(gc, "get_debug", "set_debug")
    yield Setting("gc.get_threshold()", _GLOBAL, gc.get_threshold, lambda value: gc.set_threshold(*value))
    yield Setting("gc.isenabled()", _GLOBAL, collector.is_on, collector.turn)
    yield Setting("linecache.cache", _GLOBAL, _given_lines, _give_lines, held=linecache.cache)
    csv = _loaded("csv")
    if csv is not None:
        yield from _by(csv, "field_size_limit", "field_size_limit")
        yield Setting("csv.list_dialects()", _GLOBAL, *_dialects(csv))
    for name in ERROR_HANDLERS:
        yield Setting(f'codecs.lookup_error("{name}")', _GLOBAL, *_error_handler(name))
    yield Setting(
        "sys.get_asyncgen_hooks()", _GLOBAL, sys.get_asyncgen_hooks, lambda value: sys.set_asyncgen_hooks(*value)
    )
    yield Setting("faulthandler.is_enabled()", _GLOBAL, faulthandler.is_enabled, None)
    yield Setting("atexit._ncallbacks()", _GLOBAL, atexit._ncallbacks, None)


def _given_lines() -> Tuple[Tuple[str, Any], ...]:
    """The lines that were given and not read from a file, as a report of a failure has them read, by the names of their files."""
    held = sorted(dict.items(linecache.cache))
    return tuple((name, entry) for name, entry in held if len(entry) > 1 and entry[1] is None)


def _give_lines(value: Tuple[Tuple[str, Any], ...]) -> None:
    for name, _ in _given_lines():
        del linecache.cache[name]
    linecache.cache.update(value)


def _stack_size() -> int:
    size = threading.stack_size()  # which sets it to 0
    threading.stack_size(size)
    return size


def _error_handler(name: str) -> _Access:
    return lambda: codecs.lookup_error(name), lambda value: codecs.register_error(name, value)


def _dialects(csv: Any) -> _Access:
    def get() -> Tuple[Tuple[str, Any], ...]:
        return tuple((name, csv.get_dialect(name)) for name in sorted(csv.list_dialects()))

    def put(value: Tuple[Tuple[str, Any], ...]) -> None:
        for name in csv.list_dialects():
            csv.unregister_dialect(name)
        for name, dialect in value:
            csv.register_dialect(name, dialect)

    return get, put


def _system() -> Iterator[Setting]:
    kind: Kind = "environment"
    resource: Any = import_unseen("resource")
    for name in sorted(name for name in dir(resource) if name.startswith("RLIMIT_")):
        number = getattr(resource, name)
        yield Setting(f"resource.getrlimit(resource.{name})", kind, *_limit(resource, number))
    yield Setting("os.nice(0)", kind, lambda: os.nice(0), lambda value: os.setpriority(os.PRIO_PROCESS, 0, value))
    if hasattr(os, "sched_getaffinity"):
        yield Setting("os.sched_getaffinity(0)", kind, _affinity, lambda value: os.sched_setaffinity(0, value))
    mask: Kind = "signal handler"
    yield Setting("signal.pthread_sigmask(signal.SIG_BLOCK, [])", mask, _mask, _set_mask)
    for name in ("ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF"):
        timer = getattr(signal, name)
        yield Setting(f"signal.getitimer(signal.{name})", mask, *_timer(timer))


def _limit(resource: Any, number: int) -> _Access:
    return lambda: resource.getrlimit(number), lambda value: resource.setrlimit(number, value)


def _affinity() -> Tuple[int, ...]:
    return tuple(sorted(os.sched_getaffinity(0)))


def _mask() -> Tuple[int, ...]:
    return tuple(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())))


def _set_mask(value: Tuple[int, ...]) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, value)


def _timer(timer: int) -> Tuple[Callable[[], Any], Optional[Callable[[Any], Any]]]:
    """Whether a timer runs: how long it has still to go is another each time. One can be ended, and not begun again."""
    runs = signal.getitimer(timer)[0] > 0
    return lambda: signal.getitimer(timer)[0] > 0, None if runs else lambda _: signal.setitimer(timer, 0)


def _libraries() -> Iterator[Setting]:
    """What libraries have for it, as far as they are imported."""
    context = _loaded("multiprocessing")
    if context is not None and "multiprocessing.context" in sys.modules:
        get = lambda: context.get_start_method(allow_none=True)
        yield Setting(
            "multiprocessing.get_start_method()",
            _GLOBAL,
            get,
            lambda value: context.set_start_method(value, force=True),
        )
    events = _loaded("asyncio.events")
    if events is not None:
        get = events._get_running_loop
        yield Setting("asyncio._get_running_loop()", "event loop", get, events._set_running_loop)
    numpy = _loaded("numpy")
    if numpy is not None:
        for getter, setter in (("get_printoptions", "set_printoptions"), ("geterr", "seterr")):
            yield from _by_names(numpy, getter, setter)
        yield from _by(numpy, "getbufsize", "setbufsize")
        yield from _by(numpy, "geterrcall", "seterrcall")
    torch = _loaded("torch")
    if torch is not None:
        yield from _by(torch, "get_default_dtype", "set_default_dtype")
        yield from _by(torch, "is_grad_enabled", "set_grad_enabled")
        yield from _by(torch, "get_num_threads", "set_num_threads")
        yield from _by(torch, "are_deterministic_algorithms_enabled", "use_deterministic_algorithms")


def _by_names(module: Any, getter: str, setter: str) -> Iterator[Setting]:
    """Settings that are got in one dictionary and set by their names."""
    get, put = getattr(module, getter, None), getattr(module, setter, None)
    if get is None or put is None:
        return
    for name in get():
        yield Setting(f'{module.__name__}.{getter}()["{name}"]', _GLOBAL, *_named(get, put, name))


def _named(get: Callable[[], Dict[str, Any]], put: Callable[..., Any], name: str) -> _Access:
    return lambda: get()[name], lambda value: put(**{name: value})


def _decimal() -> Iterator[Setting]:
    for name in ("prec", "rounding", "Emin", "Emax", "capitals", "clamp"):
        yield Setting(f"decimal.getcontext().{name}", "global/module state", *_attribute(decimal.getcontext(), name))


def _attribute(obj: object, name: str) -> _Access:
    return lambda: getattr(obj, name), lambda value: setattr(obj, name, value)


def _logging() -> Iterator[Setting]:
    manager = logging.root.manager
    # Loggers remember which levels are enabled, which these functions make them forget.
    yield Setting("logging.root.manager.disable", "logging/warnings", lambda: manager.disable, logging.disable)
    yield from of_logger("", logging.root)
    for name, logger in list(manager.loggerDict.items()):
        if isinstance(logger, logging.Logger):
            yield from of_logger(name, logger)


def of_logger(name: str, logger: logging.Logger) -> Iterator[Setting]:
    """The settings of a logger."""
    kind: Kind = "logging/warnings"
    path = f'logging.getLogger("{name}")' if name else "logging.getLogger()"
    yield Setting(f"{path}.level", kind, _attribute(logger, "level")[0], logger.setLevel)
    for attribute in ("disabled", "propagate"):
        yield Setting(f"{path}.{attribute}", kind, *_attribute(logger, attribute))
    for attribute in ("handlers", "filters"):
        held = getattr(logger, attribute)
        yield Setting(f"{path}.{attribute}", kind, _lister(held), _list_putter(held), held=held)


#: What a logger has that was just made, by the attribute.
FRESH_LOGGER: Dict[str, Any] = {"level": 0, "disabled": False, "propagate": True, "handlers": [], "filters": []}
