"""Files of the project and of the temporary folder, and the tables of SQLite files among them."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import tempfile
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

from . import limits
from .messages import RestoreRecipe
from .opened import Opened
from .path_bindings import PathBindings
from .places import Place, show

_SKIPPED = frozenset(
    [
        "__pycache__",
        "node_modules",
        "site-packages",
        ".git",
        ".hg",
        ".svn",
        ".tox",
        ".nox",
        ".venv",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
        ".hypothesis",
        ".eggs",
    ]
)
_SOURCES = (".py", ".pyc", ".pyi", ".so")
_DATABASES = (".db", ".sqlite", ".sqlite3", ".db3")
_BESIDE_DATABASE = ("-wal", "-shm", "-journal")
#: pytest keeps the number of its process in its folders for temporary files.
_LOCK = re.compile(r"/pytest-\d+/\.lock$")
_MAGIC = b"SQLite format 3\0"
#: A row of a table.
Row = Tuple[Union[None, int, float, str, bytes], ...]
#: The rows of each table.
Rows = Dict[str, List[Row]]


class _File(NamedTuple):
    size: int
    time: int
    inode: int
    content: Optional[bytes]


class Files:
    """The files as they were when this was made; what appears later can be noted anew."""

    def __init__(self, rootdir: str, bindings: Callable[[], PathBindings]) -> None:
        self._rootdir = rootdir
        self._bindings = bindings
        self._temporary = os.path.realpath(tempfile.gettempdir())
        self._folders = _distinct([rootdir, os.getcwd(), self._temporary])
        self._left = limits.KEPT_BYTES_IN_ALL
        #: The first file that was not looked at: what comes before it is known to be there or not.
        self._end: Optional[str] = None
        #: Whether what pytest keeps of temporary folders is none of the suite's business.
        self._skips_pytest = False
        self._known = self._scan({})
        self._later: Dict[str, _File] = {}
        #: What was there when it was last looked what one test has left.
        self._last: Dict[str, _File] = dict(self._known)

    @property
    def is_cut_off(self) -> bool:
        """Whether there are more files than are looked at."""
        return self._end is not None

    def note_new(self) -> None:
        """Note what has come since, such as the database that a fixture has just made."""
        for path, file in self._scan({**self._known, **self._later}).items():
            if path not in self._known and path not in self._later:
                self._later[path] = file

    def changes(self) -> Iterator[Place]:
        """What differs by now."""
        now = self._now()
        bindings = self._bindings()
        for path in sorted({*self._known, *now}):
            if path.endswith(_BESIDE_DATABASE) or _LOCK.search(path):
                continue
            if path in self._later and path in now:
                yield from self._changed(path, self._later[path], now[path])
            old, new = self._known.get(path), now.get(path)
            if old is None or new is None:
                yield self._came_or_went(path, old, bindings)
            else:
                yield from self._changed(path, old, new)

    def left(self, opened: Opened) -> Iterator[Place]:
        """What differs, from what it was when this was made, of that which has changed since this was last asked.

        Where there are many files, it is looked only where something was opened meanwhile, and for that alone.
        """
        self._skips_pytest = True
        many = len(self._last) > limits.GLANCED_FILES
        if many and not opened:
            return
        now = self._now()
        last, self._last = self._last, now
        changed = [path for path in sorted({*last, *now}) if _stamp(last.get(path)) != _stamp(now.get(path))]
        bindings = self._bindings() if changed else PathBindings(lambda _: False)
        for path in changed:
            if path.endswith(_BESIDE_DATABASE) or "pytest-of-" in path or many and not opened.may_be(path):
                continue
            old, new = self._known.get(path), now.get(path)
            if old is not None and new is not None:
                yield from self._changed(path, old, new)
            elif old is not new:
                yield self._came_or_went(path, old, bindings)

    def _now(self) -> Dict[str, _File]:
        """What is known, as it is, and what has come since where all that was there is known."""
        now: Dict[str, _File] = {}
        for path, file in {**self._known, **self._later}.items():
            try:
                now[path] = self._stat(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:  # who may not look cannot tell
                now[path] = file
        for path in self._walk():
            if path not in now and (self._end is None or self._place(path) < self._place(self._end)):
                with contextlib.suppress(OSError):
                    now[path] = self._stat(path)
        return now

    def _scan(self, known: Dict[str, _File]) -> Dict[str, _File]:
        found: Dict[str, _File] = {}
        for path in self._walk():
            if self._end is not None and self._place(path) >= self._place(self._end):
                break
            with contextlib.suppress(OSError):
                found[path] = known[path] if path in known else self._stat(path, keep=True)
        return found

    def _stat(self, path: str, keep: bool = False) -> _File:
        stat = os.stat(path, follow_symlinks=False)
        content = None
        if keep:
            with contextlib.suppress(OSError):  # what may not be read is there all the same
                content = self._content(path, stat.st_size)
        return _File(stat.st_size, stat.st_mtime_ns, stat.st_ino, content)

    def _walk(self) -> Iterator[str]:
        """The files, in one order for all walks. The first of those that are too many ends this one, and is noted."""
        left = limits.ENTRIES
        for top in self._folders:
            for folder, folders, files in os.walk(top):
                folders[:] = sorted(
                    name
                    for name in folders
                    if name not in _SKIPPED
                    and not (self._skips_pytest and name.startswith("pytest-of-"))
                    and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
                )
                left -= 1
                for name in sorted(files):
                    path = os.path.join(folder, name)
                    if left <= 0:
                        self._end = path if self._end is None else min(self._end, path, key=self._place)
                        return
                    left -= 1
                    yield path

    def _place(self, path: str) -> Tuple[int, List[Tuple[bool, str]]]:
        """Where a walk comes upon a path: the files of a folder come before what is in its folders."""
        tops = [top.rstrip(os.sep) + os.sep for top in self._folders]
        at = next(at for at, top in enumerate(tops) if path.startswith(top))
        *folders, name = path[len(tops[at]) :].split(os.sep)
        return at, [*((True, folder) for folder in folders), (False, name)]

    def _content(self, path: str, size: int) -> Optional[bytes]:
        most = limits.KEPT_DATABASE_BYTES if path.endswith(_DATABASES) else limits.KEPT_BYTES
        if path.endswith(_SOURCES) or size > min(most, self._left):
            return None
        with open(path, "rb") as file:
            content = file.read(most + 1)
        self._left -= len(content)
        return content

    def _name(self, path: str) -> str:
        for folder, where in ((self._temporary, " in the temporary folder"), (self._rootdir, "")):
            if path.startswith(folder + os.sep):
                return _relative(path, folder) + where
        return path

    def _recipe(self, path: str, bindings: PathBindings) -> Optional[RestoreRecipe]:
        recipe: RestoreRecipe = {"how": "file", "bindings": bindings.of(path)}
        if path.startswith(self._temporary + os.sep):
            return {**recipe, "base": "temporary", "key": _relative(path, self._temporary)}
        if path.startswith(self._rootdir + os.sep):
            return {**recipe, "base": "rootdir", "key": _relative(path, self._rootdir)}
        return None

    def _came_or_went(self, path: str, old: Optional[_File], bindings: PathBindings) -> Place:
        name = f"file {self._name(path)}"
        low_confidence = "pytest-of-" in name
        if old is None:
            shown = "(created)" if path.endswith(_DATABASES) else _beginning(path)
            recipe = self._recipe(path, bindings)
            return Place(name, "file system", "(absent)", shown, lambda: os.remove(path), low_confidence, recipe)
        restore = None if old.content is None else _writer(path, old.content)
        return Place(name, "file system", _shown(old.content), "(absent)", restore, low_confidence)

    def _changed(self, path: str, old: _File, new: _File) -> Iterator[Place]:
        if (old.size, old.time, old.inode) == (new.size, new.time, new.inode):
            return
        if old.content is None:
            yield Place(f"file {self._name(path)}", "file system", f"{old.size} bytes", f"{new.size} bytes", None)
            return
        with contextlib.suppress(OSError):
            with open(path, "rb") as file:
                content = file.read(len(old.content) + limits.KEPT_BYTES)
            if content == old.content:
                return
        tables = list(self._tables(path, old.content)) if old.content.startswith(_MAGIC) else []
        if tables:
            yield from tables
            return
        restore = _writer(path, old.content)
        yield Place(f"file {self._name(path)}", "file system", _shown(old.content), _beginning(path), restore)

    def _tables(self, path: str, old: bytes) -> Iterator[Place]:
        with tempfile.TemporaryDirectory() as folder:
            copy = os.path.join(folder, "old.db")
            with open(copy, "wb") as file:
                file.write(old)
            before, after = read_tables(copy), read_tables(path)
        if before is None or after is None:
            return
        for table in sorted({*before, *after}):
            rows, now = before.get(table), after.get(table)
            if rows != now:
                name = f"table {table} in {self._name(path)}"
                restore = None if rows is None or now is None else table_restorer(path, table, rows)
                yield Place(name, "database", _rows(rows), _rows(now), restore)


def _stamp(file: Optional[_File]) -> Optional[Tuple[int, int, int]]:
    return None if file is None else (file.size, file.time, file.inode)


def _distinct(folders: List[str]) -> List[str]:
    """The folders that lie in no other."""
    real = [os.path.realpath(folder) for folder in folders]
    kept: List[str] = []
    for folder in sorted(set(real), key=lambda folder: (len(folder), folder)):
        if not any(folder == other or folder.startswith(other.rstrip(os.sep) + os.sep) for other in kept):
            kept.append(folder)
    return kept


def _relative(path: str, folder: str) -> str:
    return os.path.relpath(path, folder).replace(os.sep, "/")


def _writer(path: str, content: bytes) -> Callable[[], None]:
    def restore() -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)

    return restore


def _beginning(path: str) -> str:
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return _shown(file.read(200))
    return "unreadable"


def _shown(content: Optional[bytes]) -> str:
    if content is None:
        return "not kept"
    with contextlib.suppress(UnicodeDecodeError):
        return show(content.decode())
    return f"{len(content)} bytes"


def _rows(rows: Optional[List[Row]]) -> str:
    if rows is None:
        return "(absent)"
    return f"{len(rows)} row{'' if len(rows) == 1 else 's'}" + (f", {show(rows)}" if rows else "")


def read_tables(path: str) -> Optional[Rows]:
    """The rows of each table; nothing if the file cannot be read now, or holds too many.

    No test runs meanwhile, so that what is locked stays so, however long one waits.
    """
    tables: Rows = {}
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0)) as connection:
            names = connection.execute("select name from sqlite_master where type = 'table' order by name").fetchall()
            for (name,) in names:
                tables[name] = connection.execute(f"select * from {_quoted(name)} limit {limits.ROWS + 1}").fetchall()
                if len(tables[name]) > limits.ROWS:
                    return None
    except sqlite3.Error:
        return None
    return tables


def table_restorer(path: str, table: str, rows: List[Row]) -> Callable[[], None]:
    """Puts a table's rows back."""

    def restore() -> None:
        with contextlib.closing(sqlite3.connect(path, timeout=0)) as connection, connection:
            connection.execute(f"delete from {_quoted(table)}")
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                connection.executemany(f"insert into {_quoted(table)} values ({marks})", rows)

    return restore


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
