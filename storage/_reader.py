"""The reader: SQL over the views, and scans of time ranges that open only the files they need."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import pyarrow as pa

import telemetry
from storage import _views
from storage._edits import Edit, Meaning, apply, in_force
from storage._files import TIME_COLUMNS
from storage._latest import EVERYTHING, Asked, LogFilter, latest_rows
from storage._lineage import Recipe, Rule, resolve
from storage._location import Location
from storage._splits import SplitRows, recipe_column, rule_table
from storage._sql import check_reading, connect
from storage._tables import Handle, one_line
from telemetry import QueryError

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")
Params = Sequence[Any] | Mapping[str, Any]

_LINEAGE_ORDER = """SELECT from_id, to_id, recipe FROM raw_lineage WHERE from_id <> to_id
ORDER BY time, source, "partition", "offset", to_id"""


# Views that show what is stored, whatever it means today.
_PLAIN = telemetry.TABLES.keys() - {"logs", "log_counts", "templates"} | {"suspects_history"}
_STREAMED = 8192  # rows a batch
_FIRST_FILES = 8
_DAMAGED = ("TProtocol", "don't know what type", "ailed to read file", "Could not read enough", "buffer", "orrupted")
_BEFORE_DATA = ["state", "ledger"]


class Reader:
    """Reads the tables of one store, from any process and while writers write. Threads may share it; they take turns.

    Each call first looks for new commits. The ledger is looked at before the data, so that data seen is never behind
    what the ledger says.
    """

    def __init__(
        self,
        location: Location,
        memory_limit: str = "512MiB",
        timeout_s: float = 30.0,
        preview: Edit | None = None,
        follows: bool = False,
    ) -> None:
        """Open a reader; DuckDB may use `memory_limit`, a result may be as large, and a query take `timeout_s`.

        With `preview` the views show what they would if this edit were stored. One that `follows` a store reads new
        files for ever: of those on a local disk it remembers nothing, or that alone would reach the limit in hours.
        """
        self._location = location
        self._handles = {name: Handle(location, name) for name in telemetry.TABLES}
        self._timeout_s = timeout_s
        self._lock = threading.RLock()
        self._connection = connect(location, memory_limit, remember=not (follows and location.is_local))
        for statement in _views.tables():
            self._connection.execute(statement)
        self._splits = SplitRows(self._connection)
        self._preview = preview
        self._memory_limit = memory_limit
        self._result_bytes = _bytes(self._connection)
        self._stale = set(telemetry.TABLES)
        self._edits: list[Edit] = []  # those in force
        self._meaning: Meaning | None = None
        self._meaning_is_old = True
        self._applied: tuple[bool, bool] | None = None  # whether the views have lineage, and splits
        self.refresh()

    @property
    def version(self) -> int:
        """A number that grows with every commit seen: the sum of the table versions. Use it as a cache key."""
        with self._lock:
            return sum(handle.version for handle in self._handles.values())

    def refresh(self) -> bool:
        """See new commits; return whether there were any. Raises StoreError if a table cannot be read."""
        with self._lock:
            changed = self._refresh(_BEFORE_DATA) | self._refresh(
                [name for name in self._handles if name not in _BEFORE_DATA]
            )
            self._stale |= changed
            return bool(changed)

    def _refresh(self, names: Collection[str]) -> set[str]:
        moved = self._location.each(lambda name: self._handles[name].refresh(), names)
        return {name for name, has in zip(names, moved, strict=True) if has}

    def query(self, sql: str, params: Params = ()) -> pa.Table:
        """Return the result of one reading statement over the views; values go in as `?` or `$name` parameters.

        Views: every table of `telemetry.TABLES` with lineage applied, `templates` folded, `incidents` and `suspects`
        newest only; `suspects_history`; `raw_<table>` as stored. Times are UTC.
        Raises QueryError if the statement is wrong, does more than read, or exceeds its memory or time.
        """
        with self._lock:
            check_reading(self._connection, sql)
            self.refresh()
            return self._again_if_vacuumed(lambda: self._query(sql, params))

    def batches(
        self, table: str, since_us: int | None = None, until_us: int | None = None
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Return the schema of a view and its rows with since_us <= time < until_us (us, UTC), batch by batch.

        It holds few rows in memory and has no time limit; take the batches to their end. Lineage is applied. The
        iterator raises QueryError.
        """
        limits = {">=": since_us, "<": until_us}
        bounds = [f"{TIME_COLUMNS[table]} {sign} make_timestamptz(?)" for sign, us in limits.items() if us is not None]
        sql = f'FROM "{table}"' + (f" WHERE {' AND '.join(bounds)}" if bounds else "")
        params = [us for us in limits.values() if us is not None]
        with self._lock:
            self.refresh()
            self._renew_views()
            cursor = self._connection.cursor()
            reader = cursor.sql(sql, params=params or None).to_arrow_reader(_STREAMED)
        return reader.schema, self._streamed(cursor, reader)

    def scan(
        self,
        table: str,
        columns: Sequence[str],
        since_us: int | None = None,
        until_us: int | None = None,
        where: str | None = None,
        params: Sequence[Any] = (),
        lineage: bool = False,
    ) -> pa.Table:
        """Return columns of the rows with since_us <= time < until_us (microseconds, UTC), in no particular order.

        Opens only files whose time range overlaps. `where` is a trusted SQL condition with `?` for `params`.
        `lineage` applies lineage to template ids and parameters. Raises QueryError as `query` does.
        """
        with self._lock:
            self.refresh()
            schema = telemetry.TABLES[table]
            wanted = pa.schema([schema.field(column) for column in columns])
            select = ", ".join(_name(column) for column in columns)
            found = self._again_if_vacuumed(
                lambda: self._scan(table, select, since_us, until_us, where, params, lineage)
            )
            return wanted.empty_table() if found is None else found.cast(wanted)

    def aggregate(
        self,
        table: str,
        expressions: Mapping[str, str],
        since_us: int | None = None,
        until_us: int | None = None,
        where: str | None = None,
    ) -> pa.Table | None:
        """Return trusted SQL expressions, by name, over the rows that `scan` would find; None if no file has any.

        Some of them are aggregates; the others are what rows are grouped by. Raises QueryError as `query` does.
        """
        select = ", ".join(f"{sql} AS {_name(name)}" for name, sql in expressions.items())
        with self._lock:
            self.refresh()
            return self._again_if_vacuumed(
                lambda: self._scan(table, select, since_us, until_us, where, (), False, "GROUP BY ALL")
            )

    def latest(
        self, columns: Sequence[str], since_us: int, until_us: int, limit: int, wanted: LogFilter = EVERYTHING
    ) -> pa.Table:
        """Return columns of the newest rows of `logs` with since_us <= time < until_us (us, UTC), newest first.

        Lineage is applied, to these rows alone: many times faster than the same asked of the view. Raises QueryError as
        `query` does.
        """
        with self._lock:
            self.refresh()
            asked = Asked(since_us, until_us, limit, wanted)
            return self._again_if_vacuumed(lambda: self._latest(columns, asked))

    def edits(self) -> tuple[list[Edit], Meaning]:
        """Return all edits, oldest first, and what they and what was learnt make of stored template ids."""
        with self._lock:
            self.refresh()
            self._again_if_vacuumed(self._renew_views)
            assert self._meaning is not None
            return self._stored_edits(), self._meaning

    def _streamed(self, cursor: "duckdb.DuckDBPyConnection", reader: Any) -> Iterator[pa.RecordBatch]:
        import duckdb

        try:
            with cursor:
                yield from reader
        except (duckdb.Error, pa.ArrowException) as error:
            raise QueryError(f"the query failed: {one_line(error)}{_hint(error)}") from error

    def close(self) -> None:
        """Release the connection; the reader cannot be used after."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _query(self, sql: str, params: Params) -> pa.Table:
        self._renew_views(self._asked_as_stored(sql))
        return self._run(sql, params)

    def _scan(
        self,
        table: str,
        select: str,
        since_us: int | None,
        until_us: int | None,
        where: str | None,
        params: Sequence[Any],
        lineage: bool,
        group: str = "",
    ) -> pa.Table | None:
        files = self._handles[table].files().overlapping(since_us, until_us)
        if not files:
            return None
        rows = _views.source(table, files)
        if lineage and "template_id" in telemetry.TABLES[table].names:
            self._renew_views()
            splits = bool(self._meaning and self._meaning.splits)
            rows = f"({_views.with_lineage(table, rows, splits)})"
        limits = {">=": since_us, "<": until_us}
        conditions = [
            f"{TIME_COLUMNS[table]} {sign} make_timestamptz(?)" for sign, us in limits.items() if us is not None
        ]
        conditions += [f"({where})"] if where else []
        sql = f"SELECT {select} FROM {rows}"  # noqa: S608 - our own names
        sql += f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return self._run(f"{sql} {group}", [us for us in limits.values() if us is not None] + list(params))

    def _latest(self, columns: Sequence[str], asked: Asked) -> pa.Table:
        """Look in the newest files, and in four times as many until no older one can hold a row that is wanted."""
        wanted = pa.schema([telemetry.LOGS.field(column) for column in columns])
        files = self._handles["logs"].files().ending(asked.since_us, asked.until_us)
        self._renew_views()
        assert self._meaning is not None
        names = ", ".join(_name(column) for column in ["time", *columns])
        found, count = wanted.empty_table(), _FIRST_FILES
        while files:
            source = _views.source("logs", [path for path, _ in files[:count]])
            rows, params = latest_rows(source, asked, self._meaning)
            found = self._run(f"SELECT {names} FROM {rows}", params)  # noqa: S608 - our own names
            full = found.num_rows == asked.limit
            if count >= len(files) or (full and found[0][-1].value > files[count][1]):
                found = found.select(range(1, found.num_columns)).cast(wanted)
                break
            count *= 4
        return found

    def _run(self, sql: str, params: Params) -> pa.Table:
        with self._connection.cursor() as cursor, self._limits(cursor):
            result = cursor.sql(sql, params=params or None)
            if result is None:
                raise QueryError("the statement returns no rows to show")
            batches, size = [], 0
            reader = result.to_arrow_reader(65_536)
            for batch in reader:
                batches.append(batch)
                size += batch.nbytes
                if size > self._result_bytes:
                    raise QueryError(f"the result is larger than {self._memory_limit}: add a LIMIT or a condition")
            return pa.Table.from_batches(batches, reader.schema)

    @contextmanager
    def _limits(self, cursor: "duckdb.DuckDBPyConnection") -> Iterator[None]:
        """Interrupt what runs on the cursor after the time limit, and turn DuckDB's errors into QueryError."""
        import duckdb

        timer = threading.Timer(self._timeout_s, cursor.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        except duckdb.InterruptException as error:
            raise QueryError(f"the query took longer than {self._timeout_s:g} s: narrow its time range") from error
        except duckdb.OutOfMemoryException as error:
            raise QueryError(f"the query needs more than {self._memory_limit}: narrow its time range") from error
        except (duckdb.Error, pa.ArrowException) as error:
            raise QueryError(f"the query failed: {one_line(error)}{_hint(error)}") from error
        finally:
            timer.cancel()
            timer.join()  # or it might still hold the cursor when the interpreter ends

    def _again_if_vacuumed(self, read: Callable[[], T]) -> T:
        """Read; if a file is gone because a table was compacted long ago, look at the tables afresh and read again."""
        import duckdb

        try:
            return read()
        except QueryError as error:
            if not isinstance(error.__cause__, duckdb.IOException):
                raise
        for handle in self._handles.values():
            handle.drop()
        self.refresh()
        return read()

    def _asked_as_stored(self, sql: str) -> set[str] | None:
        """Return the tables that a statement reads as stored; None: it may read what lineage and edits change."""
        import duckdb

        try:
            names = {name.lower() for name in self._connection.get_table_names(sql)}
        except duckdb.Error:
            return None
        if not names or not all(name.startswith("raw_") or name in _PLAIN for name in names):
            return None
        return {name.removeprefix("raw_").removesuffix("_history") for name in names}

    def _renew_views(self, stored: set[str] | None = None) -> None:
        """Point the views at the files of the versions last seen, and have them show what stored ids mean today.

        Where only tables as they are `stored` are asked for, theirs are enough.
        """
        due = set(self._stale) if stored is None or self._applied is None else self._stale & stored
        for table in due:
            self._connection.execute(_views.raw_view(table, self._handles[table].files().paths))
        if due & {"lineage", "edits"} or (self._edits and due & {"templates", "logs"}):
            self._meaning_is_old = True
        self._stale -= due
        if self._applied is None:
            self._apply_views(False, False)
        if stored is None and self._meaning_is_old:
            self._renew_meaning()
            self._meaning_is_old = False

    def _renew_meaning(self) -> None:
        """Find out what stored ids mean by now, and let the views show it."""
        found = self._connection.execute(_LINEAGE_ORDER).fetchall()
        learnt = resolve([Rule(start, end, _recipe(recipe)) for start, end, recipe in found])
        self._edits = in_force([*self._stored_edits(), *([self._preview] if self._preview else [])])
        self._meaning = self._apply_edits(learnt) if self._edits else Meaning(learnt, [], {}, set(), set())
        self._write_map(self._meaning)
        self._splits.load(self._meaning.splits, self._log_files())
        self._apply_views(bool(self._meaning.rules), bool(self._meaning.splits))

    def _apply_views(self, has_lineage: bool, has_splits: bool) -> None:
        if self._applied != (has_lineage, has_splits):
            self._applied = has_lineage, has_splits
            for statement in _views.meaning_views(has_lineage, has_splits):
                self._connection.execute(statement)

    def _apply_edits(self, learnt: Sequence[Rule]) -> Meaning:
        """Apply the edits; once values of split parameters are found, again, as they may make templates to edit."""
        sql = "SELECT template_id, min(template) FROM raw_templates GROUP BY ALL"
        texts = dict(self._connection.execute(sql).fetchall())
        while True:
            meaning = apply(texts, learnt, self._edits, self._splits.values)
            if not self._splits.look(meaning.open, self._log_files()):
                return meaning

    def _log_files(self) -> list[str]:
        return self._handles["logs"].files().paths

    def _stored_edits(self) -> list[Edit]:
        return [_edit(row) for row in self._run("SELECT * FROM raw_edits ORDER BY seq", ()).to_pylist()]

    def _write_map(self, meaning: Meaning) -> None:
        split = {one.from_id: one for one in meaning.splits}
        parts = [split.get(rule.from_id) for rule in meaning.rules]
        known = [None if one is None else [sorted(values) for values in one.known] for one in parts]
        rows = rule_table(meaning.rules)
        rows = rows.append_column("keys", recipe_column([None if one is None else one.runs for one in parts]))
        rows = rows.append_column("known", pa.array(known, pa.list_(pa.list_(pa.string()))))
        texts = {"template_id": pa.array(meaning.texts.keys(), pa.int64()), "template": meaning.texts.values()}
        for table, new in ((_views.MAP, rows), (_views.TEXTS, pa.table(texts))):
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - a constant
            self._connection.register("new_rows", new)
            self._connection.execute(f"INSERT INTO {table} SELECT * FROM new_rows")  # noqa: S608 - constants
            self._connection.unregister("new_rows")


def _hint(error: Exception) -> str:
    """Return what to do where an error is one that DuckDB meets in damaged files."""
    damaged = any(sign in str(error) for sign in _DAMAGED)
    return "; a data file seems to be damaged: `faultline doctor --full` names it, --repair mends" if damaged else ""


def _edit(row: dict[str, Any]) -> Edit:
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in row.items()}
    return Edit(**values)


def _recipe(found: list[list[dict[str, Any]]]) -> Recipe:
    return tuple(tuple((part["text"], part["param"]) for part in run) for run in found)


def _bytes(connection: "duckdb.DuckDBPyConnection") -> int:
    """Return the memory limit in bytes, as DuckDB understood it."""
    row = connection.execute("SELECT current_setting('memory_limit')").fetchall()[0]
    number, unit = str(row[0]).split()
    return int(float(number) * 1024 ** ["bytes", "KiB", "MiB", "GiB", "TiB"].index(unit))


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
