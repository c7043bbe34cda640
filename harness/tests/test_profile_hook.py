"""The suite's own profiler goes on while ours is set, and after it."""

from __future__ import annotations

import cProfile
import io
import pstats
import sys
from types import FrameType
from typing import Any, Iterator, List

import pytest
from jostle_harness.profile_hook import ProfileHook

Heard = List[str]


def recorder(heard: Heard) -> Any:
    def record(frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call":
            heard.append(argument.__name__)

    return record


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    before = sys.getprofile()
    yield
    sys.setprofile(before)


def test_without_another_it_hears_alone_and_leaves_none() -> None:
    heard: Heard = []
    hook = ProfileHook(recorder(heard))
    hook.set()
    len("heard")
    hook.unset()
    ord("n")
    assert "len" in heard and "ord" not in heard
    assert sys.getprofile() is None


def test_the_suite_s_goes_on_meanwhile_and_afterwards() -> None:
    ours: Heard = []
    theirs: Heard = []
    other = recorder(theirs)
    hook = ProfileHook(recorder(ours))
    sys.setprofile(other)
    hook.set()
    len("heard by both")
    hook.unset()
    ord("b")
    assert sys.getprofile() is other
    assert "len" in ours and "ord" not in ours
    assert "len" in theirs and "ord" in theirs


def test_one_that_the_suite_sets_meanwhile_stays() -> None:
    heard: Heard = []
    other = recorder(heard)
    hook = ProfileHook(recorder([]))
    hook.set()
    sys.setprofile(other)
    hook.unset()
    assert sys.getprofile() is other


def test_one_that_the_suite_has_taken_away_meanwhile_does_not_come_back() -> None:
    hook = ProfileHook(recorder([]))
    sys.setprofile(recorder([]))
    hook.set()
    sys.setprofile(None)
    hook.unset()
    assert sys.getprofile() is None


def test_a_suite_that_puts_ours_back_after_the_end_makes_no_circle() -> None:
    heard: Heard = []
    hook = ProfileHook(recorder(heard))
    hook.set()
    before = sys.getprofile()
    hook.unset()
    sys.setprofile(before)  # as a fixture of the session does that began in an earlier test
    len("not ours")
    assert heard.count("len") == 0
    hook.set()
    len("ours")
    hook.unset()
    assert heard.count("len") == 1


def test_one_of_the_suite_s_that_calls_ours_makes_no_circle() -> None:
    ours: Heard = []
    theirs: Heard = []
    hook = ProfileHook(recorder(ours))
    hook.set()
    found = sys.getprofile()
    assert found is not None

    def other(frame: FrameType, event: str, argument: Any) -> None:
        recorder(theirs)(frame, event, argument)
        found(frame, event, argument)

    sys.setprofile(other)
    len("in this test")
    hook.unset()
    hook.set()
    len("in the next")
    hook.unset()
    assert sys.getprofile() is other
    assert (ours.count("len"), theirs.count("len")) == (2, 2)


def test_set_twice_it_hears_once() -> None:
    heard: Heard = []
    hook = ProfileHook(recorder(heard))
    hook.set()
    hook.set()
    len("once")
    hook.unset()
    assert heard.count("len") == 1
    assert sys.getprofile() is None


def test_a_profiler_in_c_is_enabled_again() -> None:
    profiler = cProfile.Profile()
    hook = ProfileHook(recorder([]))
    profiler.enable()
    hook.set()
    hook.unset()
    sorted("after")
    profiler.disable()
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).print_stats("sorted")
    assert "built-in method builtins.sorted" in text.getvalue()
