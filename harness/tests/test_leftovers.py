"""What a test leaves running, open or lying about is told, and ended, closed or collected where that can be done."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import List

import pytest
from jostle_harness.leftovers import GARBAGE, Leftovers
from jostle_harness.places import Place

HERE = Path(__file__)


def told(leftovers: Leftovers) -> List[Place]:
    return [place for place in leftovers.changes() if place.name != GARBAGE]


@pytest.fixture
def leftovers() -> Leftovers:
    return Leftovers(str(HERE.parent))


def test_a_thread_is_told_with_where_it_was_started_and_waited_for(leftovers: Leftovers) -> None:
    ends = threading.Event()
    thread = threading.Thread(target=ends.wait, name="poller", daemon=True)
    thread.start()
    leftovers.stop()
    line = HERE.read_text(encoding="utf-8").splitlines().index("    thread.start()") + 1
    [place] = told(leftovers)
    assert (place.name, place.kind) == ("thread poller", "thread")
    assert place.new == f"runs, started at {HERE.name}:{line}"
    probe = leftovers.probe(place.name)
    assert probe is not None
    assert probe() is True
    threading.Timer(0.05, ends.set).start()
    assert place.restore is not None
    place.restore()
    assert not thread.is_alive()
    assert probe() is False


def test_a_thread_that_does_not_end_is_no_proof(leftovers: Leftovers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jostle_harness.limits.JOIN_SECONDS", 0.01)
    ends = threading.Event()
    threading.Thread(target=ends.wait, name="for ever", daemon=True).start()
    leftovers.stop()
    [place] = told(leftovers)
    assert place.restore is not None
    with pytest.raises(TimeoutError):
        place.restore()
    ends.set()


def test_a_child_process_is_told_and_ended(leftovers: Leftovers) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    leftovers.stop()
    [place] = [place for place in told(leftovers) if place.kind == "child process"]
    assert place.restore is not None
    place.restore()
    assert not told_children(leftovers)
    child.stdin.close()  # type: ignore[union-attr]


def told_children(leftovers: Leftovers) -> List[Place]:
    return [place for place in told(leftovers) if place.kind == "child process"]


def test_what_is_open_is_closed_by_the_object_that_has_it(leftovers: Leftovers, tmp_path: Path) -> None:
    file = (tmp_path / "kept").open("w")
    listener = socket.socket()
    reading, writing = os.pipe()
    leftovers.stop()
    places = told(leftovers)
    assert {place.name for place in places} == {
        f"descriptor {number}" for number in (file.fileno(), listener.fileno(), reading, writing)
    }
    for place in places:
        assert place.restore is not None
        place.restore()
    assert file.buffer.raw.closed  # type: ignore[attr-defined]
    assert listener.fileno() == -1
    assert told(leftovers) == []


class Cycle:
    """Only the collector frees it."""

    def __init__(self, path: Path) -> None:
        self.me = self
        self.file = path.open("w")


def test_what_is_left_to_the_collector_is_told_by_what_it_is_and_where_it_was_made(
    leftovers: Leftovers, tmp_path: Path
) -> None:
    gc.collect()
    leftovers.watch_garbage()
    Cycle(tmp_path / "kept")
    leftovers.stop()
    shown, made_at = leftovers.garbage()
    line = HERE.read_text(encoding="utf-8").splitlines().index('        self.file = path.open("w")') + 1
    assert shown.endswith("kept>")
    assert made_at == {"file": HERE.name, "line": line, "function": "__init__"}


def test_the_collector_is_run_without_a_word_of_what_ends(leftovers: Leftovers, tmp_path: Path) -> None:
    leftovers.stop()
    heard: List[object] = []
    before, sys.unraisablehook = sys.unraisablehook, heard.append
    try:
        Cycle(tmp_path / "kept")
        [place] = [place for place in leftovers.changes() if place.name == GARBAGE]
        assert place.restore is not None
        place.restore()
        assert sys.unraisablehook == heard.append
    finally:
        sys.unraisablehook = before
    assert heard == []
