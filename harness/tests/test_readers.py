"""Which tests run lines that name places."""

from __future__ import annotations

import pathlib
import sys
import types
from typing import Any, Callable, Dict, Generator, List, Sequence

import pytest
from jostle_harness.readers import Readers

HERE = pathlib.Path(__file__)


class _Told:
    """In place of the channel."""

    def __init__(self) -> None:
        self.readings: List[Dict[str, Any]] = []

    def send(self, message: Dict[str, Any]) -> None:
        self.readings.append(message)


def _named(names: Sequence[str], *tests: Callable[[], object]) -> List[List[str]]:
    """Of each of these, run one after the other as tests are, the places that it names."""
    readers, told = Readers(names, str(HERE.parent)), _Told()
    for position, test in enumerate(tests):
        readers.before(position, False, told, None)  # type: ignore[arg-type]
        try:
            test()
        finally:
            readers.follow(position, told, None)  # type: ignore[arg-type]
    found = {reading["position"]: [names[at] for at in reading["places"]] for reading in told.readings}
    return [found.get(position, []) for position in range(len(tests))]


def _path() -> object:
    return sys.path


def _some(is_wanted: bool) -> object:
    if is_wanted:
        return sys.argv
    return sys.path


def _nothing() -> None:
    pass


def _values() -> Generator[object, None, None]:
    while True:
        yield sys.path
        yield sys.argv


NAMES = ("sys.path", "sys.argv", "sys.path[0]")


def test_each_test_that_runs_a_function_names_what_it_names() -> None:
    assert _named(NAMES, _path, _nothing, _path) == [["sys.path", "sys.path[0]"], [], ["sys.path", "sys.path[0]"]]


def test_a_line_that_one_test_did_not_run_is_told_of_the_next() -> None:
    def both() -> None:
        for is_wanted in (False, True, False):
            _some(is_wanted)

    tests = (lambda: _some(False), lambda: _some(True), both)
    assert _named(NAMES[:2], *tests) == [["sys.path"], ["sys.argv"], ["sys.path", "sys.argv"]]


def test_a_generator_that_outlives_a_test_is_looked_at_in_the_next() -> None:
    values = _values()

    def rest() -> None:
        for _ in range(4):
            next(values)

    found = _named(NAMES[:2], lambda: next(values), lambda: next(values), rest, _nothing, lambda: next(values), rest)
    assert found == [["sys.path"], ["sys.argv"], ["sys.path", "sys.argv"], [], ["sys.path"], ["sys.path", "sys.argv"]]


def test_a_coroutine_that_outlives_a_test_is_looked_at_in_the_next() -> None:
    @types.coroutine
    def wait() -> Generator[None, None, None]:
        yield

    async def reads() -> None:
        for _ in range(2):
            _path()
            await wait()
            assert sys.argv

    coroutine = reads()

    def step() -> None:
        coroutine.send(None)

    def last() -> None:
        with pytest.raises(StopIteration):
            step()

    assert _named(NAMES[:2], step, _nothing, step, last) == [["sys.path"], [], ["sys.path", "sys.argv"], ["sys.argv"]]


def test_code_that_is_made_anew_with_each_run_is_looked_at() -> None:
    def run() -> None:
        for _ in range(2):
            exec(compile("sys.path", str(HERE), "exec"), {"sys": sys})

    assert _named(NAMES[:1], run, run) == [["sys.path"], ["sys.path"]]


def test_equal_functions_of_two_files_are_told_apart() -> None:
    def function(file: pathlib.Path) -> Callable[[], object]:
        space: Dict[str, Any] = {"sys": sys}
        exec(compile("def read():\n    return sys.path", str(file), "exec"), space)
        read: Callable[[], object] = space["read"]
        return read

    tests = (function(HERE.parent.parent / "elsewhere.py"), function(HERE))
    assert _named(NAMES[:1], *tests) == [[], ["sys.path"]]


def test_a_file_is_named_by_who_opens_it(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "data"
    file.write_text("")
    assert _named([f"file {file}"], lambda: open(str(file)).close(), _nothing) == [[f"file {file}"], []]
