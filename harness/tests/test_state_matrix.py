"""State wherever a test can leave it: each place is told by the name that a developer knows it by, and once that
alone is put back, what another test would see is what it saw before.

Each case is run in a fork of its own.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import types
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

import pytest
from jostle_harness.explain import Explainer
from jostle_harness.places import Place

#: A module of a project, and one of a library that it uses.
SHOP = """
import library
cart = library.Cart()
"""
LIBRARY = """
import collections, contextvars, functools, itertools, threading, weakref

_DEBUG = False
_TABLE = {"a": 1}
_NESTED = {"a": [{"b": []}]}
_LIST = [1]
_SET = {1}
_DEQUE = collections.deque([1])
_ORDERED = collections.OrderedDict(a=1)
_DEFAULTS = collections.defaultdict(list)
_RAW = bytearray(b"ab")
_WEAK = weakref.WeakValueDictionary()
_WEAK_SET = weakref.WeakSet()
_LOCAL = threading.local()
_LOCAL.user = None
_LOCK = threading.Lock()
VARIABLE = contextvars.ContextVar("request")
SET_VARIABLE = contextvars.ContextVar("tenant")
SET_VARIABLE.set("none")

class Meta(type):
    registry = {}

class Base(metaclass=Meta):
    options = {}
    limit = 3

class Slots:
    __slots__ = ("x",)
    def __init__(self):
        self.x = 1

class Cart:
    def __init__(self):
        self.lines = []
        self._inner = {"deep": Slots()}

class Settings:
    def __init__(self):
        self.debug = False

_SETTINGS = Settings()
_SLOTS = Slots()
_HELD = (Settings(),)
_PARTIAL = functools.partial(print, [], sep={})

def counter(count=[0]):
    return count

def make():
    seen = {}
    def remember(key=None):
        if key:
            seen[key] = 1
        return dict(seen)
    return remember

remember = make()

@functools.lru_cache(maxsize=None)
def cached(x):
    return x

def marked():
    pass

marked.seen = False
"""


class Case(NamedTuple):
    """What a test does, what another one sees of it, and the place that is to be told."""

    pollutes: str
    sees: str
    place: str


CASES: List[Case] = [
    Case("library._DEBUG = True", "library._DEBUG", "library._DEBUG"),
    Case('library._TABLE["a"] = 2', "library._TABLE", 'library._TABLE["a"]'),
    Case('library._TABLE["b"] = 2', "library._TABLE", 'library._TABLE["b"]'),
    Case('del library._TABLE["a"]', "library._TABLE", 'library._TABLE["a"]'),
    Case("library._TABLE.update(c=1, d=2)", "library._TABLE", "library._TABLE"),
    Case('library._NESTED["a"][0]["b"].append(1)', "library._NESTED", 'library._NESTED["a"][0]["b"]'),
    Case("library._LIST.append(2)", "library._LIST", "library._LIST"),
    Case("library._LIST[0] = 2", "library._LIST", "library._LIST"),
    Case("library._SET.add(2)", "library._SET", "library._SET"),
    Case("library._DEQUE.append(2)", "list(library._DEQUE)", "library._DEQUE"),
    Case('library._ORDERED["b"] = 2', "dict(library._ORDERED)", 'library._ORDERED["b"]'),
    Case('library._DEFAULTS["x"].append(1)', "dict(library._DEFAULTS)", 'library._DEFAULTS["x"]'),
    Case("library._RAW.append(1)", "bytes(library._RAW)", "library._RAW"),
    Case('library._WEAK["k"] = library._SETTINGS', "list(library._WEAK)", 'library._WEAK.data["k"]'),
    Case("library._WEAK_SET.add(library._SETTINGS)", "len(library._WEAK_SET)", "library._WEAK_SET.data"),
    Case('library._LOCAL.user = "ann"', "library._LOCAL.user", "library._LOCAL.user"),
    Case("library._LOCK.acquire(False)", "library._LOCK.locked()", "library._LOCK"),
    Case('library.VARIABLE.set("r")', "library.VARIABLE.get(None)", 'context variable "request" of library'),
    Case('library.SET_VARIABLE.set("r")', "library.SET_VARIABLE.get()", 'context variable "tenant" of library'),
    Case('library.Meta.registry["x"] = 1', "library.Meta.registry", 'library.Meta.registry["x"]'),
    Case("library.Base.limit = 4", "library.Base.limit", "library.Base.limit"),
    Case('library.Base.options["x"] = 1', "library.Base.options", 'library.Base.options["x"]'),
    Case("library._SLOTS.x = 2", "library._SLOTS.x", "library._SLOTS.x"),
    Case("library._SETTINGS.debug = True", "library._SETTINGS.debug", "library._SETTINGS.debug"),
    Case("library._HELD[0].debug = True", "library._HELD[0].debug", "library._HELD[0].debug"),
    Case("library._PARTIAL.args[0].append(1)", "library._PARTIAL.args", "library._PARTIAL.args[0]"),
    Case(
        'library._PARTIAL.keywords["sep"]["x"] = 1',
        "library._PARTIAL.keywords",
        'library._PARTIAL.keywords["sep"]["x"]',
    ),
    Case("library.counter().append(1)", "library.counter()", "library.counter.__defaults__[0]"),
    Case('library.remember("x")', "library.remember()", 'variable seen that library.remember encloses["x"]'),
    Case("library.cached(1)", "library.cached.cache_info().currsize", "library.cached"),
    Case("library.marked.seen = True", "library.marked.seen", "library.marked.seen"),
    Case("shop.cart.lines.append(1)", "shop.cart.lines", "shop.cart.lines"),
    Case('shop.cart._inner["deep"].x = 2', 'shop.cart._inner["deep"].x', 'shop.cart._inner["deep"].x'),
    Case(
        'multiprocessing.set_start_method("spawn")',
        "multiprocessing.get_start_method(True)",
        "multiprocessing.get_start_method()",
    ),
    Case('mimetypes.add_type("x/shop", ".shop")', 'mimetypes.guess_type("a.shop")', 'mimetypes.types_map[".shop"]'),
    Case(
        "copyreg.pickle(library.Slots, repr)",
        "library.Slots in copyreg.dispatch_table",
        "copyreg.dispatch_table[Slots]",
    ),
    Case("gc.disable()", "gc.isenabled()", "gc.isenabled()"),
    Case("gc.set_threshold(5, 6, 7)", "gc.get_threshold()", "gc.get_threshold()"),
    Case("sys.setswitchinterval(0.5)", "sys.getswitchinterval()", "sys.getswitchinterval()"),
    Case("sys.setrecursionlimit(5000)", "sys.getrecursionlimit()", "sys.getrecursionlimit()"),
    Case("sys.excepthook = print", "sys.excepthook is print", "sys.excepthook"),
    Case("sys.displayhook = print", "sys.displayhook is print", "sys.displayhook"),
    Case("sys.unraisablehook = print", "sys.unraisablehook is print", "sys.unraisablehook"),
    Case("threading.excepthook = print", "threading.excepthook is print", "threading.excepthook"),
    Case("sys.dont_write_bytecode = not sys.dont_write_bytecode", "sys.dont_write_bytecode", "sys.dont_write_bytecode"),
    Case("threading.stack_size(1 << 20)", "stack_size()", "threading.stack_size()"),
    Case("socket.setdefaulttimeout(3)", "socket.getdefaulttimeout()", "socket.getdefaulttimeout()"),
    Case("decimal.getcontext().prec = 3", "decimal.getcontext().prec", "decimal.getcontext().prec"),
    Case(
        "decimal.setcontext(decimal.Context(prec=3))",
        "decimal.getcontext().prec",
        'context variable "decimal_context"',
    ),
    Case('locale.setlocale(locale.LC_ALL, "C")', "locale.setlocale(locale.LC_ALL)", "locale"),
    Case('csv.register_dialect("shop", delimiter=";")', '"shop" in csv.list_dialects()', "csv.list_dialects()"),
    Case("csv.field_size_limit(7)", "csv.field_size_limit()", "csv.field_size_limit()"),
    Case(
        "signal.signal(signal.SIGUSR1, print)", "signal.getsignal(signal.SIGUSR1)", "signal.getsignal(signal.SIGUSR1)"
    ),
    Case(
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])",
        "signal.pthread_sigmask(signal.SIG_BLOCK, [])",
        "signal.pthread_sigmask(signal.SIG_BLOCK, [])",
    ),
    Case(
        "signal.setitimer(signal.ITIMER_VIRTUAL, 1000)",
        "signal.getitimer(signal.ITIMER_VIRTUAL)",
        "signal.getitimer(signal.ITIMER_VIRTUAL)",
    ),
    Case(
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, LIMIT))",
        "resource.getrlimit(resource.RLIMIT_NOFILE)",
        "resource.getrlimit(resource.RLIMIT_NOFILE)",
    ),
    Case("os.umask(0o27)", "umask()", "umask"),
    Case('os.environ["SHOP"] = "x"', 'os.environ.get("SHOP")', 'os.environ["SHOP"]'),
    Case("os.chdir('/')", "os.getcwd()", "os.getcwd()"),
    Case("warnings.simplefilter('ignore')", "len(warnings.filters)", "warnings.filters"),
    Case("warnings.onceregistry['x'] = 1", "dict(warnings.onceregistry)", 'warnings.onceregistry["x"]'),
    Case(
        "logging.getLogger('later').addHandler(logging.NullHandler())",
        "logging.getLogger('later').handlers",
        'logging.getLogger("later").handlers',
    ),
    Case(
        "logging.getLogger('later').setLevel(10)",
        "logging.getLogger('later').level",
        'logging.getLogger("later").level',
    ),
    Case(
        "logging.getLogger('known').handlers[0].setLevel(10)",
        "logging.getLogger('known').handlers[0].level",
        'logging.getLogger("known").handlers[0].level',
    ),
    Case("logging.lastResort.setLevel(10)", "logging.lastResort.level", "logging.lastResort.level"),
    Case("logging.raiseExceptions = False", "logging.raiseExceptions", "logging.raiseExceptions"),
    Case("logging.addLevelName(42, 'LOUD')", "logging.getLevelName(42)", "logging._levelToName[42]"),
    Case("logging.setLoggerClass(Loud)", "logging.getLoggerClass()", "logging._loggerClass"),
    Case("logging.captureWarnings(True)", "warnings.showwarning is logging._showwarning", "warnings.showwarning"),
    Case("asyncio.set_event_loop(LOOP)", "asyncio.get_event_loop() is LOOP", "asyncio.get_event_loop()"),
    Case("asyncio._set_running_loop(42)", "asyncio._get_running_loop()", "asyncio._get_running_loop()"),
    Case("sys.path.append('/shop')", "sys.path[-1]", "sys.path"),
    Case("sys.modules['later'] = None", "'later' in sys.modules", 'sys.modules["later"]'),
    Case("random.seed(3)", "random.getstate()", "random"),
    Case("linecache.cache['shop'] = (1, None, [], 'shop')", "'shop' in linecache.cache", 'linecache.cache["shop"]'),
    Case(
        "sys.path_importer_cache['/shop'] = None",
        "'/shop' in sys.path_importer_cache",
        'sys.path_importer_cache["/shop"]',
    ),
    Case(
        "collections.abc.Sized.register(Loud)",
        "issubclass(Loud, collections.abc.Sized)",
        "the classes that are registered with collections.abc.Sized",
    ),
    Case(
        "os.putenv('PUT', 'x')",
        "subprocess.run('echo $PUT', shell=True, capture_output=True).stdout",
        'os.putenv("PUT")',
    ),
]

USED = "asyncio atexit codecs collections copyreg csv decimal gc linecache locale logging mimetypes multiprocessing os"
USED += " random resource signal socket subprocess sys threading time warnings"


#: What the cases have besides.
NAMES = """
def stack_size():
    size = threading.stack_size()
    threading.stack_size(size)
    return size


def umask():
    now = os.umask(0)
    os.umask(now)
    return now


class Loud(logging.Logger):
    pass


LIMIT = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
logging.getLogger("known").addHandler(logging.NullHandler())
mimetypes.init()
asyncio.set_event_loop(asyncio.new_event_loop())
LOOP = asyncio.new_event_loop()
"""


def prepared(folder: Path) -> Dict[str, Any]:
    """The names that cases use, with the project's module in a folder and the library's elsewhere."""
    names: Dict[str, Any] = {}
    for name, source, file in (("library", LIBRARY, "/nowhere/library.py"), ("shop", SHOP, str(folder / "shop.py"))):
        module = types.ModuleType(name)
        module.__file__ = file
        sys.modules[name] = module
        exec(source, vars(module))
        names[name] = module
    for name in [*USED.split(), "collections.abc", "multiprocessing.context"]:
        exec(f"import {name}", names)
    exec(NAMES, names)
    return names


def told_and_put_back(case: Case, folder: Path, config: pytest.Config) -> Dict[str, Any]:
    """What is told after a case, and what is seen before it, after it, and once only its place is put back."""
    tempfile.tempdir = str(folder)  # what others have in the usual one is looked through as well
    names = prepared(folder)
    instructions: Any = {"restore": [], "watch": None, "follow": None, "from": 0, "teardown": None, "import": None}
    explainer = Explainer(instructions, str(folder), config)
    sees = [repr(eval(case.sees, names))]
    explainer.start()
    exec(case.pollutes, names)
    sees.append(repr(eval(case.sees, names)))
    places: List[Place] = list(explainer._places())
    for place in places:
        if place.name == case.place and place.restore is not None:
            place.restore()
    sees.append(repr(eval(case.sees, names)))
    return {"told": [place.name for place in places], "sees": sees}


@pytest.mark.parametrize("case", CASES, ids=[case.pollutes for case in CASES])
def test_the_place_is_told_by_its_name_and_putting_it_back_undoes_it(
    case: Case, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            told = told_and_put_back(case, tmp_path, request.config)
        except BaseException as error:  # the parent tells
            told = {"told": [], "sees": [repr(error)] * 3}
        os.write(writing, json.dumps(told).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        said = json.loads(file.read())
    os.waitpid(child, 0)
    before, after, back = said["sees"]
    assert before != after, said
    assert case.place in said["told"], said
    assert back == before, said


#: What every test file of the suite begins with.
HEAD = """import {imports}

import library
import shop
{more}
BEFORE = repr({sees})


def test_pollutes():
    {pollutes}


def test_sees():
    assert repr({sees}) == BEFORE


def test_other():
    assert library
"""


def write_suite(folder: Path) -> None:
    """Write the cases as a suite, a file each, of a project in ``project`` with a library beside it."""
    project, library = folder / "project", folder / "lib"
    project.mkdir()
    library.mkdir()
    (library / "library.py").write_text(LIBRARY, encoding="utf-8")
    (project / "shop.py").write_text(SHOP, encoding="utf-8")
    imports = ", ".join([*USED.split(), "collections.abc", "multiprocessing.context"])
    for number, case in enumerate(CASES):
        text = HEAD.format(imports=imports, more=NAMES, sees=case.sees, pollutes=case.pollutes)
        (project / f"test_{number:03}.py").write_text(text, encoding="utf-8")
    places = [case.place for case in CASES]
    (folder / "places.json").write_text(json.dumps(places), encoding="utf-8")
