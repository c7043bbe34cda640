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
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import pytest
from jostle_harness.explain import Explainer
from jostle_harness.places import Place

#: A module of a project, and one of a library that it uses.
SHOP = """
import io
import library
cart = library.Cart()
report = io.StringIO()
names = iter(["ann", "bob"])

def stepper():
    steps = iter("abc")
    return lambda: next(steps)

step = stepper()
"""
LIBRARY = """
import collections, contextvars, functools, io, itertools, threading, weakref

_DEBUG = False
_TABLE = {"a": 1}
_ADDED = {"a": 1}
_REMOVED = {"a": 1}
_UPDATED = {"a": 1}
_REPLACED = [1]
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
_BUFFER = io.StringIO("a", newline="\\r\\n")
_EMPTIED = io.StringIO("abc")
_BYTES = io.BytesIO(b"abc")
_CLOSED = io.BytesIO(b"abc")
_ITERATOR = iter([1, 2, 3])
_BACKWARDS = {"it": reversed((1, 2, 3))}
_RANGE = iter(range(3))
_KEYS = iter({"a": 1, "b": 2})
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
    Case('library._ADDED["b"] = 2', "library._ADDED", 'library._ADDED["b"]'),
    Case('del library._REMOVED["a"]', "library._REMOVED", 'library._REMOVED["a"]'),
    Case("library._UPDATED.update(c=1, d=2)", "library._UPDATED", "library._UPDATED"),
    Case('library._NESTED["a"][0]["b"].append(1)', "library._NESTED", 'library._NESTED["a"][0]["b"]'),
    Case("library._LIST.append(2)", "library._LIST", "library._LIST"),
    Case("library._REPLACED[0] = 2", "library._REPLACED", "library._REPLACED"),
    Case("library._SET.add(2)", "library._SET", "library._SET"),
    Case("library._DEQUE.append(2)", "list(library._DEQUE)", "library._DEQUE"),
    Case('library._ORDERED["b"] = 2', "dict(library._ORDERED)", 'library._ORDERED["b"]'),
    Case('library._DEFAULTS["x"].append(1)', "dict(library._DEFAULTS)", 'library._DEFAULTS["x"]'),
    Case("library._RAW.append(1)", "bytes(library._RAW)", "library._RAW"),
    Case('library._WEAK["k"] = library._SETTINGS', "list(library._WEAK)", 'library._WEAK.data["k"]'),
    Case("library._WEAK_SET.add(library._SETTINGS)", "len(library._WEAK_SET)", "library._WEAK_SET.data"),
    Case('library._LOCAL.user = "ann"', "library._LOCAL.user", "library._LOCAL.user"),
    Case("library._LOCK.acquire(False)", "library._LOCK.locked()", "library._LOCK"),
    Case(r'library._BUFFER.write("x\n")', "library._BUFFER.__getstate__()[:3]", "library._BUFFER"),
    Case("library._EMPTIED.truncate(0)", "library._EMPTIED.getvalue()", "library._EMPTIED"),
    Case("library._BYTES.read()", "library._BYTES.tell()", "library._BYTES"),
    Case("library._CLOSED.close()", "library._CLOSED.closed", "library._CLOSED"),
    Case('shop.report.write("sold")', "shop.report.getvalue()", "shop.report"),
    Case("shop.report.close()", "shop.report.closed", "shop.report"),
    Case("next(library._ITERATOR)", "left(library._ITERATOR)", "library._ITERATOR"),
    Case('list(library._BACKWARDS["it"])', 'left(library._BACKWARDS["it"])', 'library._BACKWARDS["it"]'),
    Case("next(library._RANGE)", "left(library._RANGE)", "library._RANGE"),
    Case("next(library._KEYS)", "left(library._KEYS)", "library._KEYS"),
    Case("list(shop.names)", "left(shop.names)", "shop.names"),
    Case(
        "shop.step()",
        "left(shop.step.__closure__[0].cell_contents)",
        "variable steps that shop.stepper.<locals>.<lambda> encloses",
    ),
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
        "decimal.setcontext(decimal.Context(Emax=77))",
        "decimal.getcontext().Emax",
        'context variable "decimal_context"',
    ),
    Case('locale.setlocale(locale.LC_ALL, "C")', "locale.setlocale(locale.LC_ALL)", "locale"),
    Case('codecs.register_error("strict", print)', 'codecs.lookup_error("strict")', 'codecs.lookup_error("strict")'),
    Case(
        'codecs.register_error("surrogatepass", print)',
        'codecs.lookup_error("surrogatepass")',
        'codecs.lookup_error("surrogatepass")',
    ),
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
    Case("linecache.cache['shop'] = (1, None, [], 'shop')", "'shop' in linecache.cache", "linecache.cache"),
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

USED = (
    "asyncio atexit codecs collections copy copyreg csv decimal gc linecache locale logging mimetypes multiprocessing"
)
USED += " os random resource signal socket subprocess sys threading time warnings"


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


def left(iterator):
    return list(copy.copy(iterator))


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
    explainer = Explainer(nothing(), str(folder), config)
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


def nothing() -> Any:
    """To restore nothing, and to watch no place."""
    return {"restore": [], "watch": [], "follow": None, "from": 0, "teardown": None, "import": None, "left": False}


def in_a_fork(run: Callable[[], Dict[str, Any]]) -> Dict[str, Any]:
    """What a function says, called in a fork."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = run()
        except BaseException as error:  # the parent tells
            said = {"told": [], "left": [], "sees": [repr(error)] * 3}
        os.write(writing, json.dumps(said).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        found: Dict[str, Any] = json.loads(file.read())
    os.waitpid(child, 0)
    return found


@pytest.mark.parametrize("case", CASES, ids=[case.pollutes for case in CASES])
def test_the_place_is_told_by_its_name_and_putting_it_back_undoes_it(
    case: Case, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    said = in_a_fork(lambda: told_and_put_back(case, tmp_path, request.config))
    before, after, back = said["sees"]
    assert before != after, said
    assert case.place in said["told"], said
    assert back == before, said


#: What is odd in a suite, before the state is noted, and what a test then does, with the place that is told; none for what
#: is not to be told. No code of the objects is run.
ODD: List[Tuple[str, str, Optional[str]]] = [
    # Stubs in the place of libraries that have settings.
    (
        "sys.modules['torch'] = mock.MagicMock(); sys.modules['numpy'] = types.ModuleType('numpy')",
        "library._DEBUG = 1",
        "library._DEBUG",
    ),
    # A module that is loaded once anybody looks at it.
    ("library.late = lazy('antigravity')", "library._DEBUG = 1", "library._DEBUG"),
    # Dictionaries, classes, loggers and abstract classes that do more than others.
    ("library.OPTIONS = Options(a=1)", "dict.__setitem__(library.OPTIONS, 'a', 2)", 'library.OPTIONS["a"]'),
    ("library.HELD = HeldApart()", "library.HELD.x = 1", "library.HELD.x"),
    ("library.PLAIN = Abstract('Plain', (), {})", "library.PLAIN.x = 1", "library.PLAIN.x"),
    ("library.LOG = logging.Logger('known')", "library.LOG.level = 10", "library.LOG.level"),
    ("os.environ = dict(os.environ)", "library._DEBUG = 1", "library._DEBUG"),
    (
        "library.STRICT = Strict",
        "abc.ABCMeta.register(Strict, int)",
        "the classes that are registered with library.STRICT",
    ),
    # Keys that are others in the next run, and one that takes another's place.
    ("library.BY_ID = {}", "library.BY_ID[id(library)] = 1", "library.BY_ID"),
    ("library.RENAMED = {'a': True}", "library.RENAMED['b'] = library.RENAMED.pop('a')", "library.RENAMED"),
    # A context variable that is named by where its owner lies, and one of two of one name.
    ("V = contextvars.ContextVar('local<140291396046480>')", "V.set(1)", 'context variable "local<…>"'),
    # Streams with code of the suite's, one that is closed, one without a position, and one that writes when it is asked.
    ("shop.LOUD = library.LOUD = LoudIO()", "io.StringIO.write(shop.LOUD, 'x'); library._DEBUG = 1", "library._DEBUG"),
    ("shop.INNER = library.INNER = io.BufferedReader(LoudRaw())", "library._DEBUG = 1", "library._DEBUG"),
    ("shop.CLOSED = io.StringIO(); shop.CLOSED.close()", "library._DEBUG = 1", "library._DEBUG"),
    ("shop.PIPE = open(os.pipe()[0])", "library._DEBUG = 1", "library._DEBUG"),
    # Files that are read on, iterated, closed, and iterated already.
    ("library.FILE = open(os.__file__, 'rb')", "library.FILE.read(3)", "library.FILE"),
    ("shop.FILE = open(os.__file__, encoding='utf-8')", "shop.FILE.readline()", "shop.FILE"),
    ("shop.FILE = open(os.__file__, encoding='utf-8')", "next(shop.FILE)", "shop.FILE"),
    ("shop.FILE = open(os.__file__, encoding='utf-8'); shop.FILE.readline()", "shop.FILE.close()", "shop.FILE"),
    ("shop.FILE = library.FILE = open(os.__file__); next(shop.FILE)", "library._DEBUG = 1", "library._DEBUG"),
    # Iterators over what is the suite's own, and over a dictionary that grows.
    ("shop.BACK = library.BACK = reversed(Sequence())", "library._DEBUG = 1", "library._DEBUG"),
    ("shop.GROWN = {1: 1}; shop.KEYS = iter(shop.GROWN)", "shop.GROWN[2] = 2", "shop.KEYS"),
    # A variable of a function that gets its first value.
    ("library.late = late()", "library.late(1)", "variable seen that library.late encloses"),
    # And one that loses it.
    ("library.late = late(); library.late(1)", "library.late(0)", "variable seen that library.late encloses"),
]

ODD_NAMES = """
import abc, contextvars, importlib.util, io, types
from unittest import mock

def lazy(name):
    spec = importlib.util.find_spec(name)
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

def fail(*_):
    raise AssertionError("code of the suite was run")

class Options(dict):
    __getitem__ = keys = __iter__ = __len__ = __eq__ = fail

class HeldApart:
    def __init__(self):
        object.__setattr__(self, "x", 0)
    __getattribute__ = fail

class Abstract(abc.ABCMeta):
    def __new__(mcs, name, bases, held):
        return type.__new__(mcs, name, bases, held)

class Strict(metaclass=abc.ABCMeta):
    register = classmethod(fail)

class LoudIO(io.StringIO):
    closed = property(fail)
    tell = getvalue = seek = __getstate__ = __getattribute__ = fail

class LoudRaw(io.RawIOBase):
    closed = property(fail)
    readable = lambda self: True
    tell = seek = fail

class Sequence:
    lengths = [1]
    __len__ = lambda self: self.lengths.pop()  # for ``reversed`` alone
    __getitem__ = fail

def late():
    def remember(value=None):
        nonlocal seen
        if value:
            seen = value
        else:
            del seen
    return remember
    seen = None
"""


@pytest.mark.parametrize(("odd", "pollutes", "place"), ODD, ids=[odd for odd, _, _ in ODD])
def test_what_is_odd_in_a_suite_hides_no_state_and_is_not_run(
    odd: str, pollutes: str, place: Optional[str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    said = in_a_fork(lambda: of_odd(odd, pollutes, tmp_path, request.config))
    assert place in said["told"], said
    assert said["left"] == [], said


def of_odd(odd: str, pollutes: str, folder: Path, config: pytest.Config) -> Dict[str, Any]:
    """What is told after a test in an odd suite, and what is still once all of it is put back."""
    tempfile.tempdir = str(folder)
    names = prepared(folder)
    exec(ODD_NAMES, names)
    exec(odd, names)
    explainer = Explainer(nothing(), str(folder), config)
    explainer.start()
    exec(pollutes, names)
    places = list(explainer._places())
    for place in places:
        if place.restore is not None and place.kind != "uncollected objects":
            place.restore()
    left = [place.name for place in explainer._places() if place.kind != "uncollected objects"]
    cut_off = explainer._is_cut_off or explainer._heap.is_cut_off
    return {"told": [place.name for place in places], "left": left, "cut_off": cut_off}


def test_what_pytest_leaves_of_a_failure_is_no_place(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    fails = "linecache.cache.pop(linecache.__file__, None); linecache.getline(linecache.__file__, 1)"
    fails += "; sys.last_type = sys.last_value = sys.last_traceback = sys.last_exc = ValueError; library._DEBUG = 1"
    said = in_a_fork(lambda: of_odd("linecache.getline(collections.__file__, 1)", fails, tmp_path, request.config))
    assert "library._DEBUG" in said["told"], said
    assert [name for name in said["told"] if name.startswith(("sys.last_", "linecache"))] == []


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
    # pytest has warnings as they were before each test, and jostle seeds generators.
    of_suite = [case for case in CASES if not case.place.startswith("warnings.") and case.place != "random"]
    for number, case in enumerate(of_suite):
        text = HEAD.format(imports=imports, more=NAMES, sees=case.sees, pollutes=case.pollutes)
        (project / f"test_{number:03}.py").write_text(text, encoding="utf-8")
    places = [case.place for case in of_suite]
    (folder / "places.json").write_text(json.dumps(places), encoding="utf-8")
