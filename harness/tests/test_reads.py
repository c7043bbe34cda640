"""Which lines of a function name a place."""

from __future__ import annotations

import os
import random
import signal
import sys
import types
from typing import Callable, Dict, List

import pytest
from jostle_harness.reads import Lines, sought


def _with_locals() -> object:
    path = "a"
    return path


def _attribute_of_another(request: os.PathLike[str]) -> object:
    return (request.path, os.path)  # type: ignore[attr-defined]


def _of_the_module() -> object:
    return sys.path


def _imported_here() -> object:
    import sys as system

    return system.path


def _imported_name() -> object:
    from sys import path

    return path


def _through_a_package() -> object:
    return os.path.sep


def _nested() -> Callable[[], object]:
    import sys as system

    def inner() -> object:
        return system.path

    return inner


def _asked() -> object:
    return (
        os.getcwd(),
        signal.getsignal(signal.SIGUSR1),
        random.random(),
        getattr(sys, "path"),  # noqa: B009
        ("path", "data"),
        os.path.exists("here/data"),
        os.path.exists("data.txt"),
    )


def _lines(name: str, function: Callable[..., object]) -> List[int]:
    """The lines that name a place, from the function's own."""
    found = Lines([sought(name, "/nowhere")]).of(function.__code__, function.__globals__)
    return sorted(line - function.__code__.co_firstlineno for line in found)


@pytest.mark.parametrize(
    ("name", "function", "lines"),
    [
        ("sys.path", _with_locals, []),
        ("sys.path", _attribute_of_another, []),
        ("sys.path", _of_the_module, [1]),
        ("sys.path[0]", _of_the_module, [1]),
        ("sys.path", _imported_here, [3]),
        ("sys.path", _imported_name, [1]),
        ("os.path.sep", _through_a_package, [1]),
        ("sys.flags.path", _attribute_of_another, [1]),
        ("sys.flags.path", _with_locals, []),
        ("variable path that f encloses", _with_locals, [2]),
        ('sys.modules["sys"]', _imported_here, [1]),
        ("open file", _of_the_module, []),
        ("os.getcwd()", _asked, [2]),
        ("signal.getsignal(signal.SIGUSR1)", _asked, [3]),
        ("signal.getsignal(signal.SIGUSR2)", _asked, []),
        ("random", _asked, [4]),
        ("sys.path", _asked, [5]),
        ("file some/data", _asked, [7]),
        ("file some/data.txt", _asked, [8]),
    ],
)
def test_a_line_names_a_place_by_its_module_or_its_last_name(
    name: str, function: Callable[..., object], lines: List[int]
) -> None:
    assert _lines(name, function) == lines


def test_a_name_that_was_imported_stands_for_the_global_and_another_of_that_name_does_not() -> None:
    state = types.ModuleType("state_of_this_test")
    exec("VALUES = {}\ndef reads():\n    return VALUES", vars(state))
    source = "def reads():\n    return VALUES"
    importing: Dict[str, object] = {"VALUES": vars(state)["VALUES"]}
    other: Dict[str, object] = {"VALUES": []}
    exec(source, importing)
    exec(source, other)
    sys.modules[state.__name__] = state
    try:
        functions = [space["reads"] for space in (vars(state), importing, other)]
        found = [_lines('state_of_this_test.VALUES["a"]', function) for function in functions]  # type: ignore[arg-type]
    finally:
        del sys.modules[state.__name__]
    assert found == [[1], [1], []]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("umask", ("name", "umask", "")),
        ("sys.getrecursionlimit()", ("global", "getrecursionlimit", "sys")),
        ("os.nice(0)", ("global", "nice", "os")),
        ('shop.get_options()["precision"]', ("attribute", "get_options", "")),
        ("signal.pthread_sigmask(signal.SIG_BLOCK, [])", ("global", "pthread_sigmask", "signal")),
        ("shop.getrlimit(shop.RLIMIT_NOFILE)", ("attribute", "RLIMIT_NOFILE", "")),
        ('codecs.lookup_error("shop")', ("constant", "shop", "")),
        ('os.putenv("TZ")', ("constant", "TZ", "")),
        ('logging.getLogger("shop").level', ("attribute", "level", "")),
        ("thread shopper", ("constant", "shopper", "")),
        ("descriptor 7", (None, "", "")),
    ],
)
def test_what_a_setting_is_asked_by_stands_for_it(place: str, expected: object) -> None:
    assert sought(place, "/nowhere") == expected


def test_many_places_are_told_apart_in_one_look() -> None:
    places = [sought(name, "/nowhere") for name in ("sys.path", 'os.environ["TZ"]', "sys.argv", "table users in a.db")]

    def function() -> object:
        return (sys.path, "select * from users"), "TZ", sys.argv

    found = Lines(places).of(function.__code__, function.__globals__)
    assert found == {function.__code__.co_firstlineno + 1: {0, 1, 2, 3}}
