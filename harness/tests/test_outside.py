"""What a process touches outside of itself is told by the audit events of real calls, and named as on every machine."""

from __future__ import annotations

import fcntl
import os
import socket
import sqlite3
import sys
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Tuple

import pytest
from jostle_harness.channel import Setup
from jostle_harness.outside import Access, Outside, last_names

#: Who listens, if anybody does: an audit hook cannot be taken away.
_listener: Optional[Callable[[str, Tuple[Any, ...]], None]] = None


def _hear(event: str, arguments: Tuple[Any, ...]) -> None:
    if _listener is not None:
        _listener(event, arguments)


sys.addaudithook(_hear)


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    for folder in ("project/data", "trial/tmp"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "project/data/old.txt").write_text("old")
    monkeypatch.chdir(tmp_path / "project")
    setup = Setup(
        {
            "type": "setup",
            "protocol": 7,
            "purpose": "run",
            "imports": None,
            "worker": {"id": "gw1", "count": 2, "uid": "u"},
            "random_seed": 1,
            "tests": [],
            "barriers": [],
            "folder": str(tmp_path / "trial"),
            "watch": {
                "at": None,
                "system_calls": False,
                "statements": False,
                "hosts": ["vm", "192.0.2.2", "fd00::2"],
                "filter": None,
            },
        }
    )
    yield Outside(setup, str(tmp_path / "project"))


def accesses(outside: Outside, work: Callable[[], object]) -> List[Access]:
    """What is told of what some work does, as it does it."""
    global _listener
    found: List[Access] = []
    _listener = lambda event, arguments: found.extend(outside.accesses(event, arguments))
    try:
        work()
    finally:
        _listener = None
    return found


OLD, NEW, DATA = "file:$ROOTDIR/data/old.txt", "file:$ROOTDIR/data/new.txt", "listing:$ROOTDIR/data"

#: What is done, and what is told of it when it is about to be done.
CALLS: List[Tuple[str, List[Tuple[str, str, bool]]]] = [
    ("open('data/old.txt')", [(OLD, "open to read", False)]),
    ("open('data/old.txt', 'w')", [(OLD, "open to write", True)]),
    ("open('data/old.txt', 'a')", [(OLD, "open to append", True)]),
    ("open('data/new.txt', 'x')", [(NEW, "create", True), (DATA, "create", True)]),
    ("os.remove('data/old.txt')", [(OLD, "remove", True), (DATA, "remove", True)]),
    (
        "os.rename('data/old.txt', 'data/new.txt')",
        [(NEW, "rename to", True), (DATA, "rename to", True), (OLD, "rename", True), (DATA, "rename", True)],
    ),
    ("os.listdir('data')", [(DATA, "list", False)]),
    ("os.scandir('data')", [(DATA, "list", False)]),
    ("os.listdir()", [("listing:$ROOTDIR", "list", False)]),
    (
        "os.mkdir('more')",
        [("file:$ROOTDIR/more", "make the folder", True), ("listing:$ROOTDIR", "make the folder", True)],
    ),
    ("os.makedirs('data', exist_ok=True)", [("file:$ROOTDIR/data", "make the folder", True)]),
    ("os.symlink('old.txt', 'data/new.txt')", [(NEW, "link", True), (DATA, "link", True)]),
    ("os.truncate('data/old.txt', 0)", [(OLD, "truncate", True)]),
    ("os.chmod('data/old.txt', 0o600)", [(OLD, "change the mode of", True)]),
    ("open('../trial/tmp/x', 'x')", [("file:$TMPDIR/x", "create", True), ("listing:$TMPDIR", "create", True)]),
    ("open('../trial/other', 'w')", []),
    ("open('../trial/tmp/pytest-of-me', 'w')", []),
    ("open('data/gw1.txt', 'w')", []),
    ("open('data/gw12.txt', 'x')", [("file:$ROOTDIR/data/gw12.txt", "create", True), (DATA, "create", True)]),
    ("open('/dev/null')", []),
    ("open('/proc/self/stat')", []),
    (
        "open('data/old.txt').close(); fcntl.flock(os.open('data/old.txt', os.O_RDONLY), fcntl.LOCK_EX)",
        [(OLD, "open to read", False)] * 2 + [(OLD, "lock", True)],
    ),
    (
        "f = open('data/old.txt'); fcntl.flock(f, fcntl.LOCK_SH); fcntl.flock(f, fcntl.LOCK_UN)",
        [(OLD, "open to read", False), (OLD, "lock", False), (OLD, "unlock", True)],
    ),
    ("sqlite3.connect('data/old.txt').close()", [(OLD, "connect to", False)]),
    ("sqlite3.connect('file:data/old.txt?mode=ro', uri=True).close()", [(OLD, "connect to", False)]),
    ("sqlite3.connect(':memory:').close()", []),
    ("sqlite3.connect('file:a?mode=memory', uri=True).close()", []),
    (
        "s = socket.socket(socket.AF_UNIX); s.bind('data/new.txt'); s.close()",
        [(NEW, "bind", True), (DATA, "bind", True)],
    ),
    ("s = socket.socket(); s.bind(('127.0.0.1', 0)); s.close()", []),
]


@pytest.mark.parametrize(("work", "told"), CALLS, ids=[work for work, _ in CALLS])
def test_a_call_is_told_before_it_is_made(outside: Outside, work: str, told: List[Tuple[str, str, bool]]) -> None:
    code = compile(work, "<work>", "exec")
    names = {"os": os, "fcntl": fcntl, "socket": socket, "sqlite3": sqlite3}
    assert accesses(outside, lambda: exec(code, names)) == told


def test_a_port_is_named_by_its_number(outside: Outside) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def serve() -> None:
        with socket.socket() as server, socket.socket() as client:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(("127.0.0.1", port))
            server.listen()
            client.connect(("127.0.0.1", port))

    resource = f"port:tcp {port}"
    assert accesses(outside, serve) == [(resource, "bind", True), (resource, "connect to", False)]


@pytest.mark.parametrize(
    "host", ["192.0.2.2", "::ffff:192.0.2.2", "FD00::2", "fd00::2%eth0", "VM", "vm.", "localhost", "127.0.1.1"]
)
def test_a_port_of_this_machine_is_named_however_it_is_reached(outside: Outside, host: str) -> None:
    assert outside.port((host, 5432), 1, "connect to", False) == [("port:tcp 5432", "connect to", False)]


@pytest.mark.parametrize("host", ["192.0.2.3", "fd00::3", "vm.example.org", "db"])
def test_a_port_of_another_machine_has_no_name(outside: Outside, host: str) -> None:
    assert outside.port((host, 5432), 1, "connect to", False) == []


def test_a_statement_is_told_of_the_file_that_its_connection_leads_to(outside: Outside) -> None:
    connections: List[sqlite3.Connection] = []
    for name in ("data/a.db", "data/b.db", ":memory:"):
        accesses(outside, lambda name=name: connections.append(sqlite3.connect(name)))  # type: ignore[misc]
    told = [outside.database(connection, "commit") for connection in connections]
    for connection in connections:
        connection.close()
    if sys.version_info >= (3, 10):  # before, no event tells which connection was made
        assert told[:2] == [[(f"file:$ROOTDIR/data/{name}.db", "commit", True)] for name in "ab"]


ENDS: List[Tuple[List[str], Optional[List[str]]]] = [
    (["file:$ROOTDIR/a/x.txt", "listing:$ROOTDIR/a"], ["", ".", "..", "a", "x.txt"]),
    (["file:$ROOTDIR/a/x.txt", "port:tcp 80"], None),
    (["listing:$TMPDIR"], None),
]


@pytest.mark.parametrize(("resources", "names"), ENDS)
def test_paths_that_lead_to_a_resource_are_known_by_their_ends(
    resources: List[str], names: Optional[List[str]]
) -> None:
    found = last_names(frozenset(resources))
    assert (None if found is None else sorted(found)) == names
