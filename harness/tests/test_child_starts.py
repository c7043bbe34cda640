"""A child process that is left running is told with the line that started it, whatever it was called by then."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Dict, Iterator, List

import pytest
from jostle_harness.child_starts import ChildStarts
from jostle_harness.leftovers import children

HERE = Path(__file__)


@pytest.fixture
def started() -> Iterator[List[int]]:
    numbers: List[int] = []
    yield numbers
    for number in numbers:
        os.kill(number, 9)
        os.waitpid(number, 0)


def _line(text: str) -> int:
    return next(at for at, line in enumerate(HERE.read_text(encoding="utf-8").splitlines(), 1) if text in line)


def test_of_several_children_each_has_its_own_line(started: List[int]) -> None:
    starts = ChildStarts(str(HERE.parent), children)
    started.append(subprocess.Popen(["sleep", "60"]).pid)  # the first
    started.append(os.posix_spawn("/bin/tail", ["tail", "-f", "/dev/null"], {}))  # the second
    subprocess.run(["true"], check=True)
    starts.stop()
    found = {command: starts.of(command) for command in ("sleep", "tail", "true")}
    told = {command: None if line is None else line["line"] for command, line in found.items()}
    assert told == {"sleep": _line("# the first"), "tail": _line("# the second"), "true": None}
    assert found["sleep"] is not None
    assert (found["sleep"]["file"], found["sleep"]["function"]) == (
        HERE.name,
        "test_of_several_children_each_has_its_own_line",
    )


def test_a_child_is_known_before_it_has_the_name_of_its_command(started: List[int]) -> None:
    names: Dict[int, str] = {}
    starts = ChildStarts(str(HERE.parent), lambda: dict(names))
    child = subprocess.Popen(["sleep", "60"])  # the only one
    started.append(child.pid)
    names[child.pid] = "python"
    assert starts.of("sleep") is None
    names[child.pid] = "sleep"
    line = starts.of("sleep")
    starts.stop()
    assert line is not None
    assert line["line"] == _line("# the only one")
