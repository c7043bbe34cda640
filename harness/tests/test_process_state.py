"""The process's own state: each change is told as a developer would write it, and put back.

The changes are made in a process of their own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Tuple

import pytest

HARNESS = Path(__file__).parent.parent

#: What is done, and each place that has changed by it: name, kind, and how its values are shown; ``*`` is any.
CHANGES: List[Tuple[str, List[Tuple[str, str, str, str]]]] = [
    ("os.environ['SHOP'] = 'x'", [('os.environ["SHOP"]', "environment", "(absent)", "'x'")]),
    ("del os.environ['KEPT']", [('os.environ["KEPT"]', "environment", "'a'", "(absent)")]),
    ("os.environ['KEPT'] = 'a'", []),
    ("os.environ['PYTEST_CURRENT_TEST'] = 'a'", []),
    ("os.environ['LC_ALL'] = 'C'", [('os.environ["LC_ALL"]', "locale/time zone", "(absent)", "'C'")]),
    (
        "os.environ['TZ'] = 'JST-9'; time.tzset()",
        [
            ('os.environ["TZ"]', "locale/time zone", "'UTC'", "'JST-9'"),
            ("time.tzname", "locale/time zone", "('UTC', 'UTC', 0)", "('JST', 'JST', -32400)"),
        ],
    ),
    ("os.chdir('/')", [("os.getcwd()", "environment", "*", "'/'")]),
    (
        "import codecs; codecs.register_error('ignore', codecs.lookup_error('replace'))",
        [
            (
                'codecs.lookup_error("ignore")',
                "global/module state",
                "<function ignore_errors>",
                "<function replace_errors>",
            )
        ],
    ),
    ("os.umask(0o27)", [("umask", "environment", "18", "23")]),
    ("sys.argv.append('x')", [("sys.argv", "module table", "['a']", "['a', 'x']")]),
    ("sys.path.insert(0, '/shop')", [("sys.path", "module table", "*", "*")]),
    ("sys.modules['shop'] = None", [('sys.modules["shop"]', "module table", "(absent)", "None")]),
    (
        "sys.modules['shop'] = types.ModuleType('shop')",
        [('sys.modules["shop"]', "module table", "(absent)", "<module shop>")],
    ),
    ("decimal.getcontext().prec = 3", [("decimal.getcontext().prec", "global/module state", "28", "3")]),
    ("socket.setdefaulttimeout(3)", [("socket.getdefaulttimeout()", "global/module state", "None", "3.0")]),
    ("sys.setrecursionlimit(1234)", [("sys.getrecursionlimit()", "global/module state", "1000", "1234")]),
    ("random.seed(3)", [("random", "random state", "its state", "another state")]),
    ("signal.signal(signal.SIGUSR1, print)", [("signal.getsignal(signal.SIGUSR1)", "signal handler", "*", "*")]),
    ("logging.disable(30)", [("logging.root.manager.disable", "logging/warnings", "0", "30")]),
    (
        "logging.getLogger('shop').setLevel(10)",
        [('logging.getLogger("shop").level', "logging/warnings", "0", "10")],
    ),
    (
        "logging.getLogger('shop').propagate = False",
        [('logging.getLogger("shop").propagate', "logging/warnings", "True", "False")],
    ),
    (
        "logging.getLogger('shop').addHandler(logging.NullHandler())",
        [('logging.getLogger("shop").handlers', "logging/warnings", "[]", "*")],
    ),
    ("warnings.simplefilter('ignore')", [("warnings.filters", "logging/warnings", "*", "*")]),
    ("locale.setlocale(locale.LC_ALL, 'C')", [("locale", "locale/time zone", "*", "'C'")]),
]

SCRIPT = """
import decimal, json, locale, logging, os, random, signal, socket, sys, threading, time, types, warnings
from jostle_harness.process_state import ProcessState

os.umask(0o22)
os.environ.update(KEPT="a", TZ="UTC")
os.environ.pop("LC_ALL", None)
time.tzset()
locale.setlocale(locale.LC_ALL, "C.UTF-8")
sys.argv[:] = ["a"]
logging.getLogger("shop")
said = {}
for change in json.loads(sys.stdin.read()):
    known = ProcessState()
    exec(change)
    places = list(known.changes(lambda name: False))
    for place in reversed(places):
        if place.restore is not None:
            place.restore()
    left = [place.name for place in known.changes(lambda name: False) if place.restore is not None]
    said[change] = [[(place.name, place.kind, place.old, place.new) for place in places], left]
print(json.dumps(said))
"""

_Said = Dict[str, Tuple[List[List[str]], List[str]]]


@pytest.fixture(scope="module")
def said() -> _Said:
    command = [sys.executable, "-c", SCRIPT]
    changes = json.dumps([change for change, _ in CHANGES])
    ran = subprocess.run(command, input=changes, capture_output=True, text=True, check=True, cwd=HARNESS)
    found: _Said = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize(("change", "places"), CHANGES, ids=[change for change, _ in CHANGES])
def test_a_change_is_told_and_put_back(said: _Said, change: str, places: List[Tuple[str, str, str, str]]) -> None:
    told, left = said[change]
    assert len(told) == len(places), told
    for known, expected in zip(told, places):
        for value, wanted in zip(known, expected):
            assert wanted in ("*", value) or (wanted, value[:11]) == ("descriptor N", "descriptor "), (known, expected)
    assert left == []
