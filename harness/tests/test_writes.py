"""Which line wrote a place, of which thread."""

from __future__ import annotations

import pathlib
import sys
import threading
from typing import Callable, Iterator, List, Optional

import pytest
from jostle_harness.writes import Writes

HERE = pathlib.Path(__file__)


@pytest.fixture(autouse=True)
def no_switch_by_time() -> Iterator[None]:
    """A thread runs until it waits, however slow the machine is."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)
    yield
    sys.setswitchinterval(interval)


def text_of_what_wrote(box: List[int], run: Callable[[], None]) -> str:
    """The line that is told to have changed a list while this ran, or why none is."""
    writes = Writes(["box"], str(HERE.parent), lambda name: lambda: tuple(box))
    writes.start()
    try:
        run()
    finally:
        written = writes.stop().get("box")
    if written is None:
        return writes.no_line("box")
    assert written["file"] == HERE.name
    return HERE.read_text(encoding="utf-8").splitlines()[written["line"] - 1].strip()


def test_a_line_of_this_thread_is_told() -> None:
    box: List[int] = []

    def run() -> None:
        number = 1
        box.append(number)
        number += 1

    assert text_of_what_wrote(box, run) == "box.append(number)"


@pytest.mark.parametrize("timed", [False, True])
def test_a_line_of_another_thread_is_told_while_this_one_waits(timed: bool) -> None:
    box: List[int] = []

    def write() -> None:
        box.append(1)

    def run() -> None:
        thread = threading.Timer(0, write) if timed else threading.Thread(target=write)
        thread.start()
        thread.join()

    assert text_of_what_wrote(box, run) == "box.append(1)"


def test_no_line_is_told_where_another_thread_ran_lines_meanwhile() -> None:
    box: List[int] = []
    waits, goes_on = threading.Event(), threading.Event()

    def write() -> None:
        waits.set()
        box.append(goes_on.wait())

    def run() -> None:
        thread = threading.Thread(target=write)
        thread.start()
        waits.wait()
        goes_on.set()
        thread.join()

    assert text_of_what_wrote(box, run) == "threads"
    assert box == [1]


def no_line(probe: Optional[Callable[[], object]], run: Callable[[], None]) -> str:
    """Why no line is told to have changed what a probe tells of."""
    writes = Writes(["box"], str(HERE.parent / "nowhere"), lambda name: probe)
    writes.start()
    run()
    assert writes.stop() == {}
    return writes.no_line("box")


def test_why_no_line_is_told() -> None:
    box: List[int] = []

    def write() -> None:
        box.append(1)

    assert no_line(None, write) == "unwatched"
    assert no_line(lambda: 1, write) == "unseen"
    assert no_line(lambda: tuple(box), write) == "elsewhere"
