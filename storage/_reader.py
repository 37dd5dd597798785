"""The reader: SQL over the views, and scans of time ranges that open only the files they need."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

import telemetry
from storage import _views
from storage._lineage import Rule, resolve
from storage._sql import check_reading, connect
from storage._tables import TIME_COLUMNS, Handle, one_line
from telemetry import QueryError

if TYPE_CHECKING:
    import duckdb

Params = Sequence[Any] | Mapping[str, Any]

_LINEAGE_ORDER = """SELECT from_id, to_id, recipe FROM raw_lineage WHERE from_id <> to_id
ORDER BY kind <> 'generalise', time, source, "partition", "offset", to_id"""


class Reader:
    """Reads the tables of one store, from any process and while writers write. Threads may share it; they take turns.

    Each call first looks for new commits. The ledger is looked at before the data, so that data seen is never behind
    what the ledger says.
    """

    def __init__(self, folder: Path, memory_limit: str = "512MiB", timeout_s: float = 30.0) -> None:
        """Open a reader; DuckDB may use `memory_limit`, a result may be as large, and a query take `timeout_s`."""
        self._handles = {name: Handle(folder, name) for name in reversed(telemetry.TABLES)}
        self._timeout_s = timeout_s
        self._lock = threading.RLock()
        self._connection = connect(folder, memory_limit)
        self._connection.execute(_views.create_map())
        self._memory_limit = memory_limit
        self._result_bytes = _bytes(self._connection)
        self._stale = set(telemetry.TABLES)
        self._has_lineage: bool | None = None
        self.refresh()

    @property
    def version(self) -> int:
        """A number that grows with every commit seen: the sum of the table versions. Use it as a cache key."""
        with self._lock:
            return sum(handle.version for handle in self._handles.values())

    def refresh(self) -> bool:
        """See new commits; return whether there were any. Raises StoreError if a table cannot be read."""
        with self._lock:
            changed = {name for name, handle in self._handles.items() if handle.refresh()}
            self._stale |= changed
            return bool(changed)

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
            return self._again_if_vacuumed(
                lambda: self._scan(table, columns, since_us, until_us, where, params, lineage)
            )

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
        self._renew_views()
        return self._run(sql, params)

    def _scan(
        self,
        table: str,
        columns: Sequence[str],
        since_us: int | None,
        until_us: int | None,
        where: str | None,
        params: Sequence[Any],
        lineage: bool,
    ) -> pa.Table:
        schema = telemetry.TABLES[table]
        wanted = pa.schema([schema.field(column) for column in columns])
        files = self._handles[table].files().overlapping(since_us, until_us)
        if not files:
            return wanted.empty_table()
        rows = _views.source(table, files)
        if lineage and "template_id" in schema.names:
            self._renew_views()
            rows = f"({_views.with_lineage(table, rows)})"
        limits = {">=": since_us, "<": until_us}
        conditions = [
            f"{TIME_COLUMNS[table]} {sign} make_timestamptz(?)" for sign, us in limits.items() if us is not None
        ]
        conditions += [f"({where})"] if where else []
        sql = f"SELECT {', '.join(_name(column) for column in columns)} FROM {rows}"  # noqa: S608 - our own names
        sql += f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return self._run(sql, [us for us in limits.values() if us is not None] + list(params)).cast(wanted)

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
            raise QueryError(f"the query failed: {one_line(error)}") from error
        finally:
            timer.cancel()

    def _again_if_vacuumed(self, read: Any) -> pa.Table:
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

    def _renew_views(self) -> None:
        """Point the views at the files of the versions last seen."""
        for table in self._stale:
            self._connection.execute(_views.raw_view(table, self._handles[table].files().paths))
        if "lineage" in self._stale:
            self._renew_lineage()
        self._stale.clear()

    def _renew_lineage(self) -> None:
        found = self._connection.execute(_LINEAGE_ORDER).fetchall()
        rules = resolve([Rule(start, end, _recipe(recipe)) for start, end, recipe in found])
        self._connection.execute(f"DELETE FROM {_views.MAP}")  # noqa: S608 - a constant
        if rules:
            _insert(self._connection, rules)
        if self._has_lineage != bool(rules):
            self._has_lineage = bool(rules)
            for statement in _views.meaning_views(self._has_lineage):
                self._connection.execute(statement)


def _insert(connection: "duckdb.DuckDBPyConnection", rules: Sequence[Rule]) -> None:
    parts = [[[{"text": text, "param": param} for text, param in run] for run in rule.recipe] for rule in rules]
    rows = pa.table(
        {
            "from_id": pa.array([rule.from_id for rule in rules], pa.int64()),
            "to_id": pa.array([rule.to_id for rule in rules], pa.int64()),
            "recipe": pa.array(parts, telemetry.RECIPE),
        }
    )
    connection.register("new_rules", rows)
    connection.execute(f"INSERT INTO {_views.MAP} SELECT * FROM new_rules")  # noqa: S608 - constants
    connection.unregister("new_rules")


def _recipe(found: list[list[dict[str, Any]]]) -> tuple[tuple[tuple[str | None, int | None], ...], ...]:
    return tuple(tuple((part["text"], part["param"]) for part in run) for run in found)


def _bytes(connection: "duckdb.DuckDBPyConnection") -> int:
    """Return the memory limit in bytes, as DuckDB understood it."""
    row = connection.execute("SELECT current_setting('memory_limit')").fetchall()[0]
    number, unit = str(row[0]).split()
    return int(float(number) * 1024 ** ["bytes", "KiB", "MiB", "GiB", "TiB"].index(unit))


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
