"""The garbage collector while the harness makes many objects."""

from __future__ import annotations

import gc
from typing import Dict, Iterator, List

import pytest
from jostle_harness import collector


@pytest.fixture
def collections() -> Iterator[List[int]]:
    """The generation of each collection that starts."""
    seen: List[int] = []

    def start(phase: str, info: Dict[str, int]) -> None:
        if phase == "start":
            seen.append(info["generation"])

    gc.callbacks.append(start)
    yield seen
    gc.callbacks.remove(start)


@pytest.mark.parametrize("kept", [0, 300, 5_000])
def test_what_is_made_meanwhile_starts_no_collection_afterwards(collections: List[int], kept: int) -> None:
    collector.provide()
    gc.collect()
    collections.clear()
    with collector.held_back():
        objects: List[List[int]] = [[] for _ in range(kept)]
    few: List[List[int]] = [[] for _ in range(100)]
    assert (collections, len(objects), len(few)) == ([], kept, 100)


def test_without_anything_to_spare_it_is_as_python_has_it(
    collections: List[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "_spare", [])
    gc.collect()
    collections.clear()
    with collector.held_back():
        objects: List[List[int]] = [[] for _ in range(5_000)]
        assert collections == []
    few: List[List[int]] = [[] for _ in range(100)]
    assert (collections, len(objects), len(few)) == ([0], 5_000, 100)


def test_what_a_test_says_of_it_meanwhile_holds_afterwards() -> None:
    assert collector.is_on()
    with collector.held_back():
        assert collector.is_on() and not gc.isenabled()
        collector.turn(False)
    assert not gc.isenabled()
    collector.turn(True)
    assert gc.isenabled()
