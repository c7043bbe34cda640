"""What a PostgreSQL server of the trial's own keeps, table by table: rows that came, went or changed, and sequences."""

from __future__ import annotations

import collections
import contextlib
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from . import clients, limits, messages
from .places import MISSING, Place, show
from .postgres import Refused, Row, Session, name, value
from .probes import PUT_OFF

_OWN = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'"
_RELATIONS = f"""SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'S') AND {_OWN} ORDER BY 2, 3"""
_COLUMNS = f"""SELECT a.attrelid, a.attname, a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid), '') ~ '^nextval'
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND c.relkind = 'r' AND {_OWN} ORDER BY 1, a.attnum"""
_KEYS = f"""SELECT i.indrelid, i.indexrelid, i.indisprimary, a.attname FROM pg_index i
    JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL AND {_OWN} ORDER BY 1, 2, a.attnum"""


class _Table(NamedTuple):
    #: As it stands in a statement.
    name: str
    #: As people write it there.
    plain: str
    #: As it is told.
    shown: str
    columns: List[str]
    #: The columns that tell one row from another; all of them where no others do.
    key: List[str]
    #: The rows; nothing where there are too many.
    rows: Optional[List[Row]]
    #: How many there are, and their checksum.
    sum: Row


class _State(NamedTuple):
    tables: Dict[str, _Table]
    sequences: Dict[str, Tuple[str, Row]]
    #: What could not be read, as where a lock is held: that says nothing of whether it is there.
    unread: Set[str]


class Tables:
    """What the databases of a server held when this was made."""

    def __init__(self, server: messages.Server, is_own: clients.IsOwn, fixtures: clients.Fixtures) -> None:
        self._server = server
        self._is_own = is_own
        self._fixtures = fixtures
        #: Whether there was something that could not be looked at.
        self.is_cut_off = False
        #: Databases that could not be read at some time; all of them, if they could not even be listed.
        self._unread: Set[str] = set()
        self._is_unread = False
        self._before = self._read()
        #: Tables that have come since, as they were when they were noted, by database.
        self._later: Dict[str, Dict[str, _Table]] = {}

    def note_new(self) -> None:
        """Note what has come since, such as the tables that a fixture has just made."""
        for database, state in self._read().items():
            known = self._before[database].tables if database in self._before else {}
            later = self._later.setdefault(database, {})
            for stated, table in state.tables.items():
                if stated not in known:
                    later.setdefault(stated, table)

    def changes(self) -> Iterator[Place]:
        """What differs by now."""
        now = self._read()
        known = set() if self._is_unread else {*self._before, *now} - self._unread
        for database in sorted(known):
            old, new = self._before.get(database), now.get(database)
            of = "" if database in self._server["databases"][:1] else f" of database {database}"
            later = self._later.get(database, {}) if new is not None else {}
            for table in sorted({*later} & {*(new.tables if new is not None else ())}):
                yield from self._of_table(database, of, later[table], new.tables[table] if new is not None else None)
            if old is None or new is None:
                yield Place(f"database {database}", "database", _there(old), _there(new), None, True)
                continue
            for table in sorted({*old.tables, *new.tables} - old.unread - new.unread):
                yield from self._of_table(database, of, old.tables.get(table), new.tables.get(table))
            for sequence in sorted({*old.sequences} & {*new.sequences}):
                if old.sequences[sequence] != new.sequences[sequence]:
                    yield self._of_sequence(database, of, old.sequences[sequence], new.sequences[sequence])

    def probe(self, place: str) -> Optional[Callable[[], object]]:
        """What gives something that differs whenever the table of a place's name holds something else."""
        for database, known in self._known():
            for table in known.values():
                of = "" if database in self._server["databases"][:1] else f" of database {database}"
                # It is asked for after each line.
                if table.rows is None:
                    continue
                if place == f"table {table.shown}{of}" or place.startswith(f"table {table.shown}{of}, row "):
                    return lambda: self._sum(database, table.name)
        return None

    def _known(self) -> Iterator[Tuple[str, Dict[str, _Table]]]:
        yield from self._later.items()
        yield from ((database, state.tables) for database, state in self._before.items())

    def _sum(self, database: str, table: str) -> object:
        # A session for each look: one that stayed would keep the test from dropping the database, and take one of those that
        # the server allows.
        try:
            with contextlib.closing(self._session(database)) as session:
                return session.rows(_sum_of(table))
        except Refused:
            return PUT_OFF

    def _session(self, database: str) -> Session:
        return Session(self._server["port"], self._server["user"], database)

    def _read(self) -> Dict[str, _State]:
        states: Dict[str, _State] = {}
        try:
            with contextlib.closing(self._session("postgres")) as session:
                found = session.rows("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1")
        except Refused:
            self.is_cut_off = self._is_unread = True
            return states
        for (database,) in found:
            try:
                with contextlib.closing(self._session(str(database))) as session:
                    states[str(database)] = self._read_from(session)
            except Refused:
                self.is_cut_off = True
                self._unread.add(str(database))
        return states

    def _read_from(self, session: Session) -> _State:
        columns: Dict[str, Dict[str, bool]] = {}
        for of, column, is_counted in session.rows(_COLUMNS):
            columns.setdefault(str(of), {})[str(column)] = is_counted == "t"
        keys: Dict[str, Dict[Tuple[str, bool], List[str]]] = {}
        for of, index, is_primary, column in session.rows(_KEYS):
            keys.setdefault(str(of), {}).setdefault((str(index), is_primary == "t"), []).append(str(column))
        tables: Dict[str, _Table] = {}
        sequences: Dict[str, Tuple[str, Row]] = {}
        unread: Set[str] = set()
        for oid, schema, relation, kind in session.rows(_RELATIONS):
            stated = f"{name(str(schema))}.{name(str(relation))}"
            shown = str(relation) if schema == "public" else f"{schema}.{relation}"
            try:
                if kind == "S":
                    sequences[stated] = (shown, session.rows(f"SELECT last_value, is_called FROM {stated}")[0])
                    continue
                own = columns.get(str(oid), {})
                plain = clients.identifier(str(schema), str(relation))
                tables[stated] = _table(session, (stated, plain, shown), own, keys.get(str(oid), {}))
            except Refused:
                self.is_cut_off = True
                unread.add(stated)
        return _State(tables, sequences, unread)

    def _of_table(self, database: str, of: str, old: Optional[_Table], new: Optional[_Table]) -> Iterator[Place]:
        known = old or new
        assert known is not None
        place = f"table {known.shown}{of}"
        if old is None or new is None:
            remove = self._doing(database, [f"DROP TABLE {known.name} CASCADE"]) if old is None else None
            # What one fixture makes for all tests is new as well.
            yield Place(place, "database", _size(old), _size(new), remove, True)
            return
        if old.sum == new.sum and old.columns == new.columns:
            return
        if old.rows is None or new.rows is None or old.columns != new.columns:
            yield Place(place, "database", _size(old), _size(new), None)
            return
        gone = collections.Counter(old.rows)
        gone.subtract(new.rows)
        rows: Dict[Row, Tuple[List[Row], List[Row]]] = {}
        for row, count in gone.items():
            if count:
                key = tuple(row[old.columns.index(column)] for column in old.key)
                rows.setdefault(key, ([], []))[0 if count > 0 else 1].extend([row] * abs(count))
        if len(rows) > limits.NAMED_ROWS:
            undo = [f"DELETE FROM {old.name}", *(_insert(old, row) for row in old.rows)]
            yield Place(place, "database", _size(old), _size(new), self._doing(database, undo))
            return
        for key in sorted(rows, key=repr):
            was, came = rows[key]
            undo = [*(_delete(old, row) for row in came), *(_insert(old, row) for row in was)]
            told = f"{place}, row {', '.join(f'{c}={_short(v)}' for c, v in list(zip(old.key, key))[:3])}"
            restore = self._doing(database, undo)
            changed = Place(told, "database", _told(old, was), _told(old, came), restore)
            client = clients.engine(self._is_own, self._server["port"], database)
            if client is not None:
                which = clients.telling(dict(zip(old.key, key)))
                statements = [f"DELETE FROM {old.plain} WHERE {which}"] * bool(came) + [
                    _insert(old, row) for row in was
                ]
                changed.recipe = clients.undone(client, told, statements)
                if changed.recipe is not None:
                    changed.recipe["sessions"] = clients.sessions(self._is_own, self._fixtures, client)
            yield changed

    def _of_sequence(self, database: str, of: str, old: Tuple[str, Row], new: Tuple[str, Row]) -> Place:
        shown, (last, is_called) = old
        stated = next(stated for stated, known in self._before[database].sequences.items() if known is old)
        undo = f"SELECT setval({value(stated)}, {last}, {'true' if is_called == 't' else 'false'})"
        following = [str(int(str(row[0])) + (row[1] == "t")) for row in (old[1], new[1])]
        undone = self._doing(database, [undo])
        # A rollback does not turn it back either, so that healthy suites change it all the time.
        told = f"sequence {shown}{of}"
        client = clients.engine(self._is_own, self._server["port"], database)
        recipe = None if client is None else clients.kept_sequence(client, told, shown)
        return Place(told, "database", f"next {following[0]}", f"next {following[1]}", undone, True, recipe)

    def _doing(self, database: str, statements: List[str]) -> Callable[[], None]:
        def restore() -> None:
            with contextlib.closing(self._session(database)) as session:
                session.rows("; ".join(statements))

        return restore


def _table(
    session: Session, names: Tuple[str, str, str], columns: Dict[str, bool], keys: Dict[Tuple[str, bool], List[str]]
) -> _Table:
    stated, plain, shown = names
    listed = list(columns)
    #: What people gave a row tells more than a number that it got.
    best = sorted(keys.items(), key=lambda one: (any(columns.get(c, True) for c in one[1]), not one[0][1], len(one[1])))
    key = next((found for _, found in best if all(column in columns for column in found)), listed)
    total = session.rows(_sum_of(stated))[0]
    rows = None
    if int(total[0] or 0) <= limits.ROWS and listed:
        rows = session.rows(f"SELECT {', '.join(map(name, listed))} FROM {stated}")
    return _Table(stated, plain, shown, listed, key, rows, total)


def _sum_of(table: str) -> str:
    return f"SELECT count(*), sum(hashtext(t::text)::bigint) FROM {table} t"


def _delete(table: _Table, row: Row) -> str:
    same = " AND ".join(f"{name(c)}::text IS NOT DISTINCT FROM {value(v)}" for c, v in zip(table.columns, row))
    return f"DELETE FROM {table.name} WHERE ctid = (SELECT min(ctid) FROM {table.name} WHERE {same})"


def _insert(table: _Table, row: Row) -> str:
    columns, values = ", ".join(map(name, table.columns)), ", ".join(map(value, row))
    return f"INSERT INTO {table.name} ({columns}) OVERRIDING SYSTEM VALUE VALUES ({values})"


def _short(found: Optional[str]) -> str:
    if found is None:
        return "NULL"
    return found if found.lstrip("-").replace(".", "", 1).isdigit() else show(found)


def _told(table: _Table, rows: List[Row]) -> str:
    if not rows:
        return show(MISSING)
    return ", ".join("(" + ", ".join(f"{c}={_short(v)}" for c, v in zip(table.columns, row)) + ")" for row in rows[:3])


def _size(table: Optional[_Table]) -> str:
    return show(MISSING) if table is None else f"{table.sum[0]} row{'' if table.sum[0] == '1' else 's'}"


def _there(state: Optional[_State]) -> str:
    return show(MISSING) if state is None else f"{len(state.tables)} table{'' if len(state.tables) == 1 else 's'}"
