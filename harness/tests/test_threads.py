"""What a fork would lose of a process's threads; each in a process of its own, whose threads end with it."""

from __future__ import annotations

import ctypes.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest
from jostle_harness.threads import Lost

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="this system does not list tasks")

#: Starts a thread that Python knows nothing of, under a name.
_NATIVE = """
def native(name):
    libc = ctypes.CDLL(None)
    libc.prctl(15, name, 0, 0, 0)
    libc.pthread_create(ctypes.byref(ctypes.c_ulong()), None, libc.pause, None)
    libc.prctl(15, b"main", 0, 0, 0)
"""


def _lost(does: str, folder: Path) -> Lost:
    """What a fork of a process would lose that has done this."""
    script = folder / "suite.py"
    script.write_text(
        "import ctypes, json, os, threading, time, _thread\n"
        "from jostle_harness import limits, threads\n"
        "from jostle_harness.namespaces import fork_quietly\n"
        f"{_NATIVE}\n"
        f"starts = threads.Starts({str(folder)!r})\n"
        "starts.start()\nstarts.look(None)\n"
        f"{does}\n"
        "starts.look('test_a.py')\n"
        "lost = threads.lost(fork_quietly, starts)\nstarts.stop()\n"
        "print(json.dumps(lost), flush=True)\nos._exit(0)\n"
    )
    root = Path(__file__).parents[1]
    # A warning would be an error: that there are threads is looked after.
    command = [sys.executable, "-W", "error::DeprecationWarning", str(script)]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    return Lost(*json.loads(ran.stdout or pytest.fail(ran.stderr)))


_POLLER = "def poll(): threading.Thread(target=time.sleep, args=(60,), daemon=True, name='poller').start()"


@pytest.mark.parametrize(
    ("does", "needed", "native"),
    [
        ("", [], []),
        (f"{_POLLER}\npoll()", ["poller (suite.py:14)"], []),
        # Its library starts another in each fork.
        (f"{_POLLER}\npoll()\nos.register_at_fork(after_in_child=poll)", [], []),
        (f"{_POLLER}\npoll(); poll()\nos.register_at_fork(after_in_child=poll)", ["poller (suite.py:14)"], []),
        # Its library ends it before a fork.
        (
            (
                "end = threading.Event()\nthread = threading.Thread(target=end.wait)\nthread.start()\n"
                "os.register_at_fork(before=lambda: (end.set(), thread.join()))"
            ),
            [],
            [],
        ),
        ("native(b'worker')", [], ["worker (started while test_a.py was imported)"]),
        ("native(b'jemalloc_bg_thd')", [], []),
        ("native(b'polars-0')", ["polars-0 (started while test_a.py was imported)"], []),
        (
            "limits.TRIAL_FORK_SECONDS = 0.1\nnative(b'worker')\nos.register_at_fork(after_in_child=threading.Event().wait)",
            ["worker"],
            [],
        ),
    ],
)
def test_what_a_fork_would_lose_is_what_nobody_sees_to(
    does: str, needed: List[str], native: List[str], tmp_path: Path
) -> None:
    assert _lost(does, tmp_path) == (needed, native, [])


def test_a_thread_that_only_the_interpreter_knows_runs_python_as_well(tmp_path: Path) -> None:
    lost = _lost("_thread.start_new_thread(lambda: time.sleep(60), ())\ntime.sleep(0.1)", tmp_path)
    assert lost.needed == ["a thread that `threading` does not know"]


def test_starters_that_others_have_replaced_stay_as_they_are(tmp_path: Path) -> None:
    does = (
        "name = next(name for name in threads._STARTERS if hasattr(threading, name))\n"
        "other = lambda *arguments, **named: None\nsetattr(threading, name, other)\nstarts.stop()\n"
        "assert getattr(threading, name) is other"
    )
    assert _lost(does, tmp_path) == ([], [], [])


@pytest.mark.skipif(ctypes.util.find_library("gomp") is None, reason="there is no OpenMP")
def test_openmp_ends_its_threads_and_a_fork_starts_others(tmp_path: Path) -> None:
    does = (
        "openmp, function = ctypes.CDLL('libgomp.so.1'), ctypes.CDLL(None).sched_yield\n"
        "openmp.GOMP_parallel(function, None, 3, 0)\n"
        # A fork that waits for threads that there are not would not answer.
        "limits.TRIAL_FORK_SECONDS = 60\n"
        "os.register_at_fork(after_in_child=lambda: openmp.GOMP_parallel(function, None, 3, 0))"
    )
    lost = _lost(does, tmp_path)
    assert (lost.needed, lost.native, len(lost.ended)) == ([], [], 2)
