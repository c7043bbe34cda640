"""The standard streams, with and without pytest's capturing, and asyncio's loop: closed by a test, they are put back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import List, Tuple

import pytest
from jostle_harness.streams import Streams

HARNESS = Path(__file__).parent.parent

SCRIPT = """
import asyncio, os, sys
from jostle_harness.streams import Streams

known = Streams(None)
exec(sys.argv[1])
places = list(known.changes())
told = [(place.name, place.kind, place.old, place.new) for place in places]
for place in places:
    place.restore()
left = [place.name for place in known.changes()]
os.write(known._copies[2], repr((told, left)).encode())
sys.stdout.write("heard")
"""

OPEN, CLOSED = "<_io.TextIOWrapper>, open", "<_io.TextIOWrapper>, closed"
CHANGES: List[Tuple[str, List[Tuple[str, str, str, str]]]] = [
    ("pass", []),
    (
        "sys.stdout.close()",
        [
            ("sys.stdout", "standard stream", OPEN, CLOSED),
            ("sys.__stdout__", "standard stream", OPEN, CLOSED),
        ],
    ),
    ("sys.stdout = open(os.devnull, 'w')", [("sys.stdout", "standard stream", OPEN, OPEN)]),
    ("sys.stdin = None", [("sys.stdin", "standard stream", OPEN, "None")]),
    ("os.dup2(os.open(os.devnull, os.O_RDWR), 1)", [("descriptor 1", "descriptor", "open", "another file")]),
    ("os.close(0)", [("descriptor 0", "descriptor", "open", "closed")]),
]


@pytest.mark.parametrize(("change", "told"), CHANGES, ids=[change for change, _ in CHANGES])
def test_a_stream_is_put_back_without_capturing(change: str, told: List[Tuple[str, str, str, str]]) -> None:
    command = [sys.executable, "-c", SCRIPT, change]
    ran = subprocess.run(command, stdin=subprocess.PIPE, capture_output=True, text=True, cwd=HARNESS, check=False)
    # A stream that was closed is replaced, as nothing opens it again.
    replaced = [name for name, _, _, new in told if new == CLOSED]
    assert ran.stderr == repr((told, replaced)), ran.stderr
    assert ran.stdout == "heard"


CONFTEST = """
import pytest

from jostle_harness import pytest_private
from jostle_harness.streams import Streams

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    global known
    known = known or Streams(pytest_private.capture_manager(item.config))
    known.next_item = item
    for place in list(known.changes()):
        assert (place.name, place.old) == ("sys.stdout", "pytest's capturing file, open")
        assert place.new == "pytest's capturing file, closed"
        place.restore()
        assert "sys.stdout" not in [place.name for place in known.changes()]

known = None
"""

SUITE = """
import sys

def test_closes():
    sys.stdout.close()

def test_prints():
    print("printed")
    assert 0
"""


def test_pytest_goes_on_after_its_capturing_file_is_put_back(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(SUITE)
    monkeypatch.setenv("PYTHONPATH", str(HARNESS))
    result = pytester.runpytest_subprocess("-v")
    result.stdout.fnmatch_lines(["*::test_prints FAILED*", "*Captured stdout call*", "printed"])


LOOPS = """
import asyncio, sys
from jostle_harness.streams import Streams

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
known = Streams(None)
exec(sys.argv[1])
places = list(known.changes())
print([(place.name, place.old, place.new) for place in places])
for place in places:
    place.restore()
print(asyncio.get_event_loop().is_closed())
"""

NAME = "asyncio.get_event_loop()"
LOOP_CHANGES: List[Tuple[str, List[Tuple[str, str, str]]]] = [
    ("pass", []),
    ("loop.close()", [(NAME, "an open loop", "a closed loop")]),
    ("asyncio.set_event_loop(asyncio.new_event_loop())", [(NAME, "an open loop", "another loop")]),
    ("asyncio.set_event_loop(None)", [(NAME, "an open loop", "no loop, and none will be made")]),
]


@pytest.mark.parametrize(("change", "told"), LOOP_CHANGES, ids=[change for change, _ in LOOP_CHANGES])
def test_the_loop_is_put_back(change: str, told: List[Tuple[str, str, str]]) -> None:
    command = [sys.executable, "-W", "ignore", "-c", LOOPS, change]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=HARNESS, check=False)
    assert ran.stdout.splitlines() == [repr(told), "False"], ran.stderr


def test_what_the_streams_write_through_is_told_here_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "out.txt").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        held = [id(layer) for layer in Streams(None).held()]
        raw = stream.buffer.raw  # type: ignore[attr-defined]
        assert {id(stream), id(stream.buffer), id(raw)} <= set(held)
