"""File objects are read without an effect, told by what they hold, and given it back."""

from __future__ import annotations

import codecs
import io
import os
from pathlib import Path
from typing import Any, Callable, List, Tuple

import pytest
from jostle_harness import limits
from jostle_harness.changes import changed_places
from jostle_harness.file_objects import Held, read
from jostle_harness.snapshot import Node

_Change = Callable[[Any], object]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lines.txt"
    path.write_text("one\ntwo\nthree\n", encoding="utf-8")
    return path


def noted(obj: Any) -> Node:
    node = Node(obj, "shop.file", "whole", read(obj), False, "shop")
    node.rebind = lambda _: None
    return node


IN_MEMORY: List[Tuple[Callable[[], Any], _Change, str, str]] = [
    (io.StringIO, lambda file: file.write("abc"), "'' at 0", "'abc' at 3"),
    (lambda: io.StringIO("abc"), lambda file: file.truncate(1), "'abc' at 0", "'a' at 0"),
    (lambda: io.StringIO("a\r\nb", None), lambda file: file.write("\r"), "'a\\nb' at 0", "'\\n\\nb' at 1"),
    (lambda: io.StringIO("a\n", "\r\n"), lambda file: file.close(), "'a\\r\\n' at 0", "closed"),
    (lambda: io.BytesIO(b"abc"), lambda file: file.read(2), "b'abc' at 0", "b'abc' at 2"),
    (lambda: io.BytesIO(b"abc"), lambda file: file.close(), "b'abc' at 0", "closed"),
]


@pytest.mark.parametrize(("make", "change", "old", "new"), IN_MEMORY)
def test_what_is_in_memory_is_told_and_put_back_in_place(
    make: Callable[[], Any], change: _Change, old: str, new: str
) -> None:
    node = noted(make())
    assert list(changed_places(node)) == []
    change(node.obj)
    [place] = changed_places(node)
    assert (place.old.replace("\\\\", "\\"), place.new.replace("\\\\", "\\"), place.recipe) == (old, new, None)
    obj = node.obj
    assert place.restore is not None
    place.restore()
    assert (read(node.obj), node.obj) == (node.state, obj)


CHANGES: List[Tuple[Tuple[Any, ...], _Change, str, str]] = [
    (("r",), lambda file: file.readline(), "at 0", "at 4"),
    (("r",), next, "at 0", "open"),
    (("r",), lambda file: file.close(), "at 0", "closed"),
    (("rb",), lambda file: file.read(2), "at 0", "at 2"),
    (("rb",), lambda file: file.close(), "at 0", "closed"),
    (("rb", 0), lambda file: file.read(2), "at 0", "at 2"),
    (("rb", 0), lambda file: file.close(), "at 0", "closed"),
    (("r+b",), lambda file: file.seek(5), "at 0", "at 5"),
]


@pytest.mark.parametrize(("how", "change", "old", "new"), CHANGES)
def test_a_file_is_read_from_where_it_was(
    how: Tuple[Any, ...], change: _Change, old: str, new: str, file: Path
) -> None:
    node = noted(file.open(*how))
    kind = type(node.obj)
    assert list(changed_places(node)) == []
    change(node.obj)
    [place] = changed_places(node)
    assert (place.old, place.new) == (old, new)
    assert place.restore is not None
    place.restore()
    assert (read(node.obj), type(node.obj)) == (node.state, kind)
    assert len(node.obj.readline()) == 4
    node.obj.close()


@pytest.mark.parametrize("newline", ["", "\n", "\r", "\r\n"])
@pytest.mark.parametrize("lines", [0, 1, 3])
def test_a_text_that_was_opened_in_another_way_is_not_opened_anew(newline: str, lines: int, file: Path) -> None:
    for asked, is_opened in ((newline, False), (None, True)):
        text = file.open(newline=asked)
        for _ in range(lines):
            text.readline()
        node = noted(text)
        text.close()
        [place] = changed_places(node)
        assert (place.restore is not None) == is_opened


@pytest.mark.parametrize("in_another_folder", ["lines.txt", "another.txt"])
def test_a_name_that_leads_to_another_file_is_not_opened(
    in_another_folder: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    node = noted(open(file.name, "rb"))  # noqa: SIM115
    node.obj.close()
    other = file.parent / "other"
    other.mkdir()
    (other / in_another_folder).write_text("four\n")
    os.chdir(other)
    [place] = changed_places(node)
    assert (place.new, place.restore) == ("closed", None)
    os.chdir(file.parent)
    [place] = changed_places(node)
    assert place.restore is not None


def test_an_error_handler_of_the_suites_is_not_called(file: Path) -> None:
    called: List[UnicodeError] = []

    def handle(error: UnicodeError) -> Tuple[str, int]:
        called.append(error)
        return "", 1

    known = codecs.lookup_error("backslashreplace")
    file.write_bytes(b"\xff\n\xff\n")
    with file.open(encoding="utf-8", errors="backslashreplace") as text:
        text.readline()
        node = noted(text)
        codecs.register_error("backslashreplace", handle)
        try:
            assert read(text) == Held(False)
            [place] = changed_places(node)
            assert place.restore is None
            text.close()
            [place] = changed_places(node)
            assert place.restore is None
        finally:
            codecs.register_error("backslashreplace", known)
    assert (node.state.position, called) == (2, [])


def test_what_is_only_added_to_is_nowhere(file: Path) -> None:
    with file.open("ab", 0) as raw, file.open("ab") as buffered:
        assert (read(raw), read(buffered)) == (Held(False), Held(False))


@pytest.mark.parametrize("make", [lambda: io.StringIO("abcd"), lambda: io.BytesIO(b"abcd")])
def test_what_is_long_is_known_by_its_length(make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEPT_BYTES", 3)
    node = noted(make())
    node.obj.seek(1)
    assert (read(node.obj), read(node.obj).is_cut_off) == (Held(False, 1, 4), True)
    node.obj.truncate(2)
    [place] = changed_places(node)
    assert (place.old, place.new[-4:], place.restore) == ("4 long, at 0", "at 1", None)
    assert not read(node.obj).is_cut_off


@pytest.mark.parametrize("mode", ["w", "wb", "a", "r+", "r+b", "xb"])
def test_a_file_that_is_written_is_not_opened_anew(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "written.txt"
    if mode.startswith("r"):
        path.touch()
    node = noted(path.open(mode))
    node.obj.close()
    [place] = changed_places(node)
    assert (place.new, place.restore) == ("closed", None)


@pytest.mark.parametrize("mode", ["w", "r+"])
def test_what_was_not_written_yet_is_not_written_by_reading(mode: str, file: Path) -> None:
    size = len("one\ntwo\nthree\n") if mode == "r+" else 0
    with open(file, mode) as written:
        written.seek(0, os.SEEK_END)
        written.write("four\n")
        assert read(written) == Held(False)
        assert file.stat().st_size == size


def test_what_has_no_position_has_none() -> None:
    reading, writing = os.pipe()
    with open(reading) as text, open(writing, "wb") as binary:
        assert (read(text), read(binary)) == (Held(False), Held(False))


def test_what_was_taken_apart_or_not_set_up_is_not_asked(file: Path) -> None:
    text: Any = file.open()
    buffer = text.detach()
    with buffer.detach() as raw:
        assert [read(part) for part in (text, buffer, raw)] == [Held(False), Held(False), Held(False, 0)]
    for kind in (io.StringIO, io.FileIO, io.BufferedReader, io.TextIOWrapper):
        assert read(kind.__new__(kind)).position is None


class Own(io.RawIOBase):
    asked = 0

    def readable(self) -> bool:
        return True

    @property
    def closed(self) -> bool:
        Own.asked += 1
        return super().closed

    def tell(self) -> int:
        Own.asked += 1
        return 0


def test_what_reads_through_the_suites_code_is_not_asked() -> None:
    buffered: Any = io.BufferedReader(Own())
    text = io.TextIOWrapper(buffered)
    asked = Own.asked
    assert (read(buffered), read(text)) == (Held(False), Held(False))
    assert Own.asked == asked
