"""What is told of files: those that came, went and changed, and nothing of what was not looked at."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import tempfile
import types
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

import pytest
from jostle_harness import limits
from jostle_harness.files import Files
from jostle_harness.path_bindings import PathBindings

Told = List[Tuple[str, str, str]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with some files in folders, and a temporary folder beside it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    for folder in ("tmp", "project/a/deep", "project/b"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("1.txt", "2.txt", "a/3.txt", "a/deep/4.txt", "b/5.txt", "b/6.txt", "b/7.txt"):
        (tmp_path / "project" / name).write_text("as it was")
    monkeypatch.chdir(tmp_path / "project")
    yield tmp_path / "project"


def noted(project: Path) -> Files:
    return Files(str(project), lambda: PathBindings(lambda name: name == "shop"))


def told(known: Files) -> Told:
    return [(place.name, place.old, place.new) for place in known.changes()]


def database(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(str(path))) as connection, connection:
        for statement in statements:
            connection.execute(statement)


CHANGES: List[Tuple[str, Told]] = [
    ("pass", []),
    ("put('new.txt', 'x')", [("file new.txt", "(absent)", "'x'")]),
    ("put('b/new.bin', b'\\xff')", [("file b/new.bin", "(absent)", "1 bytes")]),
    ("os.remove('1.txt')", [("file 1.txt", "'as it was'", "(absent)")]),
    ("put('1.txt', 'other')", [("file 1.txt", "'as it was'", "'other'")]),
    ("put('1.txt', 'as it was')", []),
    ("os.utime('1.txt', (1, 1))", []),
    ("put('../tmp/new.txt', 'x')", [("file new.txt in the temporary folder", "(absent)", "'x'")]),
    (
        "os.rename('b', 'c')",
        [(f"file b/{n}.txt", "'as it was'", "(absent)") for n in (5, 6, 7)]
        + [(f"file c/{n}.txt", "(absent)", "'as it was'") for n in (5, 6, 7)],
    ),
    ("os.mkdir('.git'); put('.git/x', 'x')", []),
    ("os.mkdir('env'); put('env/pyvenv.cfg', ''); put('env/x', '')", []),
    ("put('shop.db-wal', 'x')", []),
    ("os.makedirs('../tmp/pytest-of-me/pytest-0'); put('../tmp/pytest-of-me/pytest-0/.lock', '1')", []),
]


@pytest.mark.parametrize(("change", "places"), CHANGES, ids=[change for change, _ in CHANGES])
def test_a_change_is_told_and_put_back(project: Path, change: str, places: Told) -> None:
    known = noted(project)

    def put(name: str, content: object) -> None:
        data = content.encode() if isinstance(content, str) else content
        assert isinstance(data, bytes)
        Path(name).write_bytes(data)

    exec(change, {"os": os, "put": put})
    assert told(known) == places
    for place in known.changes():
        assert place.restore is not None
        place.restore()
    assert told(known) == []


def test_a_change_that_leaves_the_size_is_seen(project: Path) -> None:
    known = noted(project)
    status = os.stat("1.txt")
    Path("1.txt").write_text("as it is!")
    os.utime("1.txt", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert told(known) == [("file 1.txt", "'as it was'", "'as it is!'")]


def test_a_file_is_kept_by_the_names_for_its_path(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = types.ModuleType("shop")
    shop.LOG, shop.FOLDER = str(project / "log.txt"), project / "b"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shop", shop)
    known = noted(project)
    for name in ("log.txt", "b/new.txt"):
        Path(name).write_text("x")
    recipes = {place.name: place.recipe for place in known.changes()}
    log = {"module": "shop", "object": "shop", "attribute": "LOG", "text": True, "rest": "log.txt"}
    folder = {"module": "shop", "object": "shop", "attribute": "FOLDER", "text": False}
    recipe = {"how": "file", "base": "rootdir"}
    assert recipes == {
        "file log.txt": {**recipe, "key": "log.txt", "bindings": [log]},
        "file b/new.txt": {**recipe, "key": "b/new.txt", "bindings": [folder]},
    }


def test_the_rows_of_a_database_are_told_by_table(project: Path) -> None:
    database(Path("shop.db"), "create table item (name)", "insert into item values ('tea')", "create table empty (x)")
    known = noted(project)
    database(Path("shop.db"), "insert into item values ('milk')", "create table more (x)")
    assert told(known) == [
        ("table item in shop.db", "1 row, [('tea',)]", "2 rows, [('tea',), ('milk',)]"),
        ("table more in shop.db", "(absent)", "0 rows"),
    ]
    for place in known.changes():
        if place.restore is not None:
            place.restore()
    assert told(known) == [("table more in shop.db", "(absent)", "0 rows")]


def test_a_database_with_too_many_rows_is_told_as_a_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ROWS", 1)
    database(Path("shop.db"), "create table item (name)", "insert into item values ('tea')")
    known = noted(project)
    database(Path("shop.db"), "insert into item values ('milk')")
    [place] = known.changes()
    assert (place.name, place.kind) == ("file shop.db", "file system")


def test_a_locked_database_is_told_as_a_file_without_waiting(project: Path) -> None:
    database(Path("shop.db"), "create table item (name)")
    known = noted(project)
    database(Path("shop.db"), "insert into item values ('milk')")
    with contextlib.closing(sqlite3.connect("shop.db")) as connection:
        connection.execute("begin exclusive")
        assert [name for name, _, _ in told(known)] == ["file shop.db"]
    assert [name for name, _, _ in told(known)] == ["table item in shop.db"]


def test_what_came_after_the_start_can_be_noted_anew(project: Path) -> None:
    known = noted(project)
    Path("made.txt").write_text("by a fixture")
    known.note_new()
    assert told(known) == [("file made.txt", "(absent)", "'by a fixture'")]
    Path("made.txt").write_text("by a test")
    assert ("file made.txt", "'by a fixture'", "'by a test'") in told(known)


def test_a_large_file_is_known_by_its_size_and_cannot_be_put_back(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "KEPT_BYTES", 8)
    known = noted(project)
    Path("1.txt").write_text("another text")
    [place] = known.changes()
    assert (place.name, place.old, place.new, place.restore) == ("file 1.txt", "9 bytes", "12 bytes", None)


#: What is done, and what may be said of it.
DONE: Dict[str, Tuple[str, str, str]] = {
    "+0.txt": ("file 0.txt", "(absent)", "'another'"),
    "-2.txt": ("file 2.txt", "'as it was'", "(absent)"),
    "+a/new.txt": ("file a/new.txt", "(absent)", "'another'"),
    "+b/6.txt": ("file b/6.txt", "'as it was'", "'another'"),
    "+b/8.txt": ("file b/8.txt", "(absent)", "'another'"),
    "+zz.txt": ("file zz.txt", "(absent)", "'another'"),
}


@pytest.mark.parametrize("entries", range(1, 17))
@pytest.mark.parametrize("done", [list(DONE), ["-2.txt"], ["+0.txt"]], ids=["all", "removed", "created"])
def test_what_was_not_looked_at_is_neither_created_nor_removed(
    project: Path, monkeypatch: pytest.MonkeyPatch, entries: int, done: List[str]
) -> None:
    monkeypatch.setattr(limits, "ENTRIES", entries)
    known = noted(project)
    for change in done:
        if change[0] == "-":
            os.remove(change[1:])
        else:
            Path(change[1:]).write_text("another")
    found, truth = set(told(known)), {DONE[change] for change in done}
    assert found <= truth
    # There are two folders that are looked at, three in them, and seven files; what came belongs to what is too much.
    most = 12 + sum("(absent)" == old for _, old, _ in truth) - sum("(absent)" == new for _, _, new in truth)
    assert known.is_cut_off is (entries < max(12, most))
    assert known.is_cut_off or found == truth
