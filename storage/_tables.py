"""One Delta table: creation, an open handle that stays fast over many commits, appends, and its list of files.

A handle that stays open slows down with every commit it makes (12 ms a commit at the start, 85 ms after 1,200), a
fresh one does not; so a handle reopens itself every `REOPEN_AFTER` versions.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

import telemetry
from telemetry import StoreError

if TYPE_CHECKING:
    from deltalake import DeltaTable, Transaction

REOPEN_AFTER = 100

TIME_COLUMNS = {
    **{name: "time" for name, schema in telemetry.TABLES.items() if "time" in schema.names},
    "templates": "last_seen",
    "log_counts": "minute",
    "incidents": "updated",
    "suspects": "ranked_at",
}
"""The column that places a table's rows in time: files are sorted and pruned by it."""

_CONFIGURATION = {
    # Each commit lists the log: 1,000 entries double its cost. Who was away for longer starts from a checkpoint.
    "delta.logRetentionDuration": "interval 10 minutes",
    "delta.enableExpiredLogCleanup": "true",
    "delta.checkpointInterval": "100",
    "delta.deletedFileRetentionDuration": "interval 1 hours",
}


def one_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextlib.contextmanager
def store_errors(doing: str) -> Iterator[None]:
    """Turn errors of the file system and of Delta Lake into a one-line StoreError that says what was being done."""
    from deltalake.exceptions import DeltaError

    try:
        yield
    except (DeltaError, OSError) as error:
        raise StoreError(f"cannot {doing}: {one_line(error)}") from error


def create_table(folder: Path, name: str) -> None:
    """Create the table `name` under the store's folder unless it is there. Several processes may do so at once.

    Raises StoreError where the folder cannot be written.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    path = str(folder / name)
    with store_errors(f"create the table {path}"):
        if DeltaTable.is_deltatable(path):
            return
        columns = ",".join(c for c in (TIME_COLUMNS[name], "offset", "position") if c in telemetry.TABLES[name].names)
        configuration = {**_CONFIGURATION, "delta.dataSkippingStatsColumns": columns}
        try:
            DeltaTable.create(path, schema=telemetry.TABLES[name], mode="ignore", configuration=configuration)
        except DeltaError:  # a rival created it between our look and our commit: good as long as it is there now
            if not DeltaTable.is_deltatable(path):
                raise


class Handle:
    """An open Delta table. Opens on first use; not for use by several threads at once."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.path = folder / name
        self._table: DeltaTable | None = None
        self._opened_at = 0
        self._checkpoint = 0
        self._files: tuple[int, Files] | None = None

    @property
    def table(self) -> "DeltaTable":
        """The table as last seen."""
        return self._table if self._table is not None else self._open()

    @property
    def version(self) -> int:
        """The table version last seen."""
        return self.table.version()

    def refresh(self) -> bool:
        """See what others have committed; return whether it may have changed. Costs three file look-ups if not.

        Raises StoreError if the table cannot be read.
        """
        if self._table is None:
            self._open()
            return True
        before = self._table.version()
        log = self.path / "_delta_log"
        if before - self._opened_at >= REOPEN_AFTER or not (log / f"{before:020d}.json").exists():
            self._open()  # grown old; or the store was deleted under us, and perhaps made anew
            return True
        # The next commit's file may have come and gone with the log's retention; then a newer checkpoint shows it.
        checkpoint = _mtime(log / "_last_checkpoint")
        if not (log / f"{before + 1:020d}.json").exists() and checkpoint == self._checkpoint:
            return False
        self._checkpoint = checkpoint
        with store_errors(f"read the table {self.path}"):
            self._table.update_incremental()
        return self._table.version() != before

    def drop(self) -> None:
        """Forget the open table; the next use opens it afresh."""
        self._table = None

    def position(self, app_id: str) -> int | None:
        """Return the version last committed for an application id, as last seen."""
        return self.table.transaction_version(app_id)

    def trim_log(self) -> None:
        """Write a checkpoint and delete log entries that are older than the log's retention and not needed by it."""
        with store_errors(f"clean the log of the table {self.path}"):
            self.refresh()
            self.table.create_checkpoint()
            self.table.cleanup_metadata()

    def append(self, rows: pa.Table, transactions: Sequence["Transaction"]) -> None:
        """Append rows, which must have the table's schema, in one commit. Raises what Delta Lake raises."""
        from deltalake import CommitProperties, WriterProperties, write_deltalake

        write_deltalake(
            self.table,
            rows,
            mode="append",
            commit_properties=CommitProperties(app_transactions=list(transactions)),
            writer_properties=WriterProperties(compression="ZSTD", compression_level=1),
        )

    def files(self) -> "Files":
        """Return the table's data files as last seen."""
        version = self.version
        if self._files is None or self._files[0] != version:
            self._files = (version, _files(self.table, self.path, TIME_COLUMNS[self.name]))
        return self._files[1]

    def _open(self) -> "DeltaTable":
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        checkpoint = _mtime(self.path / "_delta_log" / "_last_checkpoint")
        try:
            with store_errors(f"open the table {self.path}"):
                self._table = DeltaTable(str(self.path))
        except StoreError as error:
            if isinstance(error.__cause__, TableNotFoundError):
                raise StoreError(f"no table at {self.path}: is this the folder of a Faultline store?") from error
            raise
        self._opened_at, self._checkpoint, self._files = self._table.version(), checkpoint, None
        return self._table


class Files:
    """The data files of one table version, with the time range each covers (microseconds, both ends included)."""

    def __init__(self, paths: list[str], first: Any, last: Any, rows: int, size: int) -> None:
        self.paths = paths
        self.rows = rows
        self.size = size
        self._first = first
        self._last = last

    def overlapping(self, since_us: int | None, until_us: int | None) -> list[str]:
        """Return the files that may hold rows with since_us <= time < until_us; None leaves a side open."""
        keep = np.ones(len(self.paths), dtype=bool)
        if since_us is not None:
            keep &= self._last >= since_us
        if until_us is not None:
            keep &= self._first < until_us
        return [self.paths[i] for i in np.flatnonzero(keep)]


def _files(table: "DeltaTable", path: Path, time_column: str) -> Files:
    actions = pa.table(table.get_add_actions(flatten=True))
    limits = np.iinfo(np.int64)
    return Files(
        paths=[f"{path}/{name}" for name in actions["path"].to_pylist()],
        first=_times(actions, f"min.{time_column}", limits.min),
        # Statistics may be cut to milliseconds, so the end is taken a millisecond late.
        last=_times(actions, f"max.{time_column}", limits.max - 1000) + 1000,
        rows=sum(actions["num_records"].to_pylist()),
        size=sum(actions["size_bytes"].to_pylist()),
    )


def _times(actions: pa.Table, column: str, unknown: int) -> Any:
    if column not in actions.column_names:
        return np.full(actions.num_rows, unknown, dtype=np.int64)
    values = actions[column].cast(telemetry.TIME).cast(pa.int64())
    return values.fill_null(unknown).to_numpy()


def _mtime(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # not there, or not readable: opening the table will say so
        return 0
