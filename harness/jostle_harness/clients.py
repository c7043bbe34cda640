"""What the project itself talks to a server with, for fixtures that put back what a test has left there: engines of SQLAlchemy's
and clients of Redis's that its modules hold.
"""

from __future__ import annotations

import re
import sys
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from . import messages
from .places import namespace

_POSTGRES_PORT, _REDIS_PORT = 5432, 6379
#: What a fixture's code holds that rolls back by itself whatever its sessions commit.
_ROLLED_BACK = "create_savepoint"
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")
#: Names that are words of SQL's as well, as tables are often called.
_WORDS = frozenset(
    {"user", "order", "group", "table", "column", "default", "check", "end", "limit", "offset", "references"}
)
#: More statements than anybody would read in a fixture.
_MOST = 6

#: Whether a module, by its name, is the project's.
IsOwn = Callable[[str], bool]


#: Fixtures by their names, each with its function.
Fixtures = Sequence[Tuple[str, Any]]


class Client(NamedTuple):
    """An object that a module of the project holds."""

    module: str
    #: The expression for it, once the module is imported.
    shown: str

    @property
    def is_for_tests(self) -> bool:
        """Whether tests are written in its module, which others are not to import."""
        return self.module.rpartition(".")[2].startswith(("test_", "conftest"))


def engines(is_own: IsOwn) -> Iterator[Tuple[Client, Any]]:
    """The engines that the project holds, each by its first name; one in a module of tests where it has no other."""
    seen: Set[int] = set()
    for client, engine in sorted(
        _held(is_own, "sqlalchemy.engine", "Engine"), key=lambda held: (held[0].is_for_tests, held[0])
    ):
        if id(engine) not in seen:
            seen.add(id(engine))
            yield client, engine


def engine(is_own: IsOwn, port: int, database: str) -> Optional[Client]:
    """The engine for a database, if there is one."""

    def leads_there(found: Any) -> bool:
        url = getattr(found, "url", None)
        return (getattr(url, "port", None) or _POSTGRES_PORT) == port and getattr(url, "database", None) == database

    return _first(is_own, "sqlalchemy.engine", "Engine", leads_there)


def redis(is_own: IsOwn, port: int, database: int) -> Optional[Client]:
    """The client for a database, if there is one."""

    def leads_there(found: Any) -> bool:
        given = getattr(getattr(found, "connection_pool", None), "connection_kwargs", {})
        return given.get("port", _REDIS_PORT) == port and (given.get("db") or 0) == database

    return _first(is_own, "redis", "Redis", leads_there)


def _first(is_own: IsOwn, library: str, kind: str, leads_there: Callable[..., bool]) -> Optional[Client]:
    held = _held(is_own, library, kind)
    return next((client for client, value in held if not client.is_for_tests and leads_there(value)), None)


def _held(is_own: IsOwn, library: str, kind: str) -> Iterator[Tuple[Client, Any]]:
    """What the project's modules hold of a class."""
    wanted: Any = getattr(sys.modules.get(library), kind, None)
    if not isinstance(wanted, type):
        return
    for name, module in sorted(sys.modules.items()):
        if is_own(name):
            for attribute, value in sorted(namespace(module).items()):
                if issubclass(type(value), wanted):
                    yield Client(name, f"{name}.{attribute}"), value


def sessions(is_own: IsOwn, fixtures: Fixtures, client: Client) -> List[messages.SessionFixture]:
    """The fixtures that seem to give sessions of SQLAlchemy's which commit, by what their functions name, for an engine."""
    library = sys.modules.get("sqlalchemy.orm")
    kinds = (getattr(library, "Session", None), getattr(library, "sessionmaker", None))
    if not all(isinstance(kind, type) for kind in kinds) or _major("sqlalchemy") < 2:
        return []
    found: List[messages.SessionFixture] = []
    for name, function in fixtures:
        code = getattr(function, "__code__", None)
        if _ROLLED_BACK in getattr(code, "co_consts", ()):
            continue
        names = getattr(code, "co_names", ())
        known = getattr(function, "__globals__", {})
        for value in (known[one] for one in names if one in known):
            maker = None
            if value is kinds[0]:
                maker = Client("sqlalchemy.orm", "sqlalchemy.orm.Session")
            elif type(value) is kinds[1]:
                maker = _first(is_own, "sqlalchemy.orm", "sessionmaker", lambda other, value=value: other is value)
            if maker is not None:
                found.append(
                    {
                        "name": name,
                        "made_by": maker.shown,
                        "made_in": maker.module,
                        "engine": client.shown,
                        "engine_in": client.module,
                    }
                )
                break
    return found


def _major(library: str) -> int:
    number = str(getattr(sys.modules.get(library), "__version__", "")).partition(".")[0]
    return int(number) if number.isdigit() else 0


def disposed(client: Client) -> messages.RestoreRecipe:
    """A fixture's line that closes what waits in an engine's pool."""
    return _recipe(client, f"{client.shown}.pool", [], [f"{client.shown}.dispose()"])


def undone(client: Client, place: str, statements: Sequence[str]) -> Optional[messages.RestoreRecipe]:
    """A fixture's lines that carry out statements after the test; nothing if there are too many, or some that a driver would
    not take as they are."""
    if not 0 < len(statements) <= _MOST or any("%" in one or "\\" in one or "\n" in one for one in statements):
        return None
    carried_out = [f"    connection.exec_driver_sql({_quoted(one)})" for one in statements]
    return _recipe(client, place, [], [f"with {client.shown}.begin() as connection:", *carried_out])


def kept_sequence(client: Client, place: str, sequence: str) -> Optional[messages.RestoreRecipe]:
    """A fixture's lines that turn a sequence back to where it was."""
    if not all(map(_PLAIN.match, sequence.split("."))):
        return None
    asked = _quoted(f"SELECT last_value, is_called FROM {sequence}")
    turned = f"SELECT setval('{sequence}', {{saved[0]}}, {{saved[1]}})"
    before = [f"with {client.shown}.connect() as connection:", f"    saved = connection.exec_driver_sql({asked}).one()"]
    after = [f"with {client.shown}.begin() as connection:", f"    connection.exec_driver_sql(f{_quoted(turned)})"]
    return _recipe(client, place, before, after)


def kept_key(client: Client, place: str, key: bytes, was_there: bool) -> Optional[messages.RestoreRecipe]:
    """A fixture's lines that leave a key of Redis's as it was."""
    if not key.isascii() or not key.decode("ascii").isprintable():
        return None
    name = _quoted(key.decode("ascii"))
    removed = f"{client.shown}.delete({name})"
    if not was_there:
        return _recipe(client, place, [], [removed])
    put_back = f"{client.shown}.restore({name}, 0, saved, replace=True)"
    after = ["if saved is None:", f"    {removed}", "else:", f"    {put_back}"]
    return _recipe(client, place, [f"saved = {client.shown}.dump({name})"], after)


def identifier(schema: str, relation: str) -> str:
    """A relation as people write it in a statement."""
    return _name(relation) if schema == "public" else f"{_name(schema)}.{_name(relation)}"


def telling(values: Dict[str, Optional[str]]) -> str:
    """What tells a row from others, in a statement."""
    conditions: List[str] = []
    for column, value in values.items():
        conditions.append(f"{_name(column)} IS NULL" if value is None else f"{_name(column)} = {_literal(value)}")
    return " AND ".join(conditions)


def _name(identifier: str) -> str:
    if _PLAIN.match(identifier) and identifier not in _WORDS:
        return identifier
    return '"' + identifier.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _quoted(text: str) -> str:
    """A literal of Python's, in double quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _recipe(client: Client, place: str, before: Sequence[str], after: Sequence[str]) -> messages.RestoreRecipe:
    return {
        "how": "lines",
        "module": client.module,
        "object": place,
        "attribute": "\n".join(before),
        "value": "\n".join(after),
    }
