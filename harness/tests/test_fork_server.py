"""A fork reads the files that were open before from where they were, and leaves them there for others."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any, Callable, Tuple

import pytest
from jostle_harness.fork_server import have_own_positions


def in_a_fork(run: Callable[[], object]) -> None:
    """Do something in a fork, and wait for that."""
    child = os.fork()
    if child == 0:
        try:
            run()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert status == 0


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="the system does not list what is open")
@pytest.mark.parametrize("how", [("r",), ("rb",), ("rb", 0)])
def test_how_far_a_file_is_read_is_its_own(how: Tuple[Any, ...], tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("one\ntwo\n" * 4000)
    with path.open(*how) as file:
        file.readline()
        before = os.lseek(file.fileno(), 0, os.SEEK_CUR)
        inheritable = os.get_inheritable(file.fileno())

        def read() -> None:
            have_own_positions()
            assert os.get_inheritable(file.fileno()) == inheritable
            assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == before
            assert (file.readline()[:3], len(file.read())) in (("two", 31992), (b"two", 31992))

        in_a_fork(read)
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == before


def test_what_is_written_stays_shared(tmp_path: Path) -> None:
    with (tmp_path / "log.txt").open("wb", 0) as log:

        def write() -> None:
            have_own_positions()
            log.write(b"one")

        in_a_fork(write)
        assert log.tell() == 3


def test_a_file_whose_lock_is_held_stays_shared(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    with (tmp_path / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def lock_again() -> None:
            have_own_positions()
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

        in_a_fork(lock_again)


def test_descriptors_of_one_opening_keep_one_position(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("one\ntwo\n")
    first = os.open(tmp_path / "lines.txt", os.O_RDONLY)
    copy, other = os.dup(first), os.open(tmp_path / "lines.txt", os.O_RDONLY)

    def read() -> None:
        have_own_positions()
        os.read(first, 2)
        assert [os.lseek(number, 0, os.SEEK_CUR) for number in (first, copy, other)] == [2, 2, 0]

    in_a_fork(read)
    assert [os.lseek(number, 0, os.SEEK_CUR) for number in (first, copy, other)] == [0, 0, 0]
    for number in (first, copy, other):
        os.close(number)
