"""One Delta table: creation, an open handle that stays fast over many commits, what it commits, and its files.

delta-rs' picture of a table slows down with every version it is brought up to (12 ms at the start, 85 ms after 1,200),
a fresh one does not; so it is opened afresh every `REOPEN_AFTER` versions.
"""

import contextlib
import errno
import os
import time
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa

import telemetry
from storage._files import DISTINCT, ROW_GROUP, TIME_COLUMNS, Files, NewFile, written
from storage._location import Location
from storage._tail import CannotFollow, Tail
from telemetry import StoreError, StoreFull

if TYPE_CHECKING:
    from deltalake import DeltaTable, PostCommitHookProperties, Transaction, WriterProperties

REOPEN_AFTER = 100
REOPEN_S = 60.0
"""A handle leans on the checkpoint it was opened from, which goes with the log's retention: it must be younger."""
CHECKPOINT_AFTER = 200
"""Versions without a checkpoint after which an append writes one; the maintainer comes earlier."""
_WRITER_VERSION = 2
MAINTENANCE = "maintenance"
"""App id of every commit that only moves rows between files, or drops old ones."""

_CONFIGURATION = {
    # Who opens a table lists the log. Who was away for longer starts from a checkpoint. It is also how far back a table
    # can be taken where a file turns out broken.
    "delta.logRetentionDuration": "interval 5 minutes",
    "delta.enableExpiredLogCleanup": "true",
    "delta.checkpointInterval": "100",
    "delta.deletedFileRetentionDuration": "interval 1 hours",
}


class Superseded(StoreError):
    """Files to be replaced are not in the table any more: another process has replaced them."""


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
        if _is_full(error):
            raise StoreFull(f"cannot {doing}: no space left; free some, or lower retention.max_bytes") from error
        raise StoreError(f"cannot {doing}: {one_line(error)}") from error


def _is_full(error: BaseException) -> bool:
    """Return whether an error says that disk or quota are full; deltalake's carry the system's only as text."""
    number = getattr(error, "errno", None)
    return number in (errno.ENOSPC, errno.EDQUOT) or any(
        os.strerror(code) in str(error) for code in (errno.ENOSPC, errno.EDQUOT)
    )


def create_table(location: Location, handle: "Handle") -> None:
    """Create a table of a store, or open an older one and give it the columns it lacks.

    Several processes may do so at once. Raises StoreError where the store cannot be written.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    name = handle.name
    with store_errors(f"create the table {handle.path}"):
        if location.has_table(name):
            _add_columns(handle)
            return
        columns = ",".join(c for c in (TIME_COLUMNS[name], "offset", "position") if c in telemetry.TABLES[name].names)
        configuration = {**_CONFIGURATION, "delta.dataSkippingStatsColumns": columns}
        try:
            DeltaTable.create(
                handle.path,
                schema=telemetry.TABLES[name],
                mode="ignore",
                configuration=configuration,
                storage_options=location.options,
            )
        except DeltaError:  # a rival created it between our look and our commit: good as long as it is there now
            if not location.has_table(name):
                raise


def _add_columns(handle: "Handle") -> None:
    """Give a table the columns that came with a newer version of this program; they are null in its old rows."""
    from deltalake import Field, Schema
    from deltalake.exceptions import CommitFailedError

    known = {field.name for field in handle.table.schema().fields}
    wanted = Schema.from_arrow(telemetry.TABLES[handle.name]).fields
    missing = [Field(field.name, field.type, nullable=True) for field in wanted if field.name not in known]
    if not missing:
        return
    try:
        handle.table.alter.add_columns(missing)
    except CommitFailedError:  # a rival did it first: good as long as the columns are there now
        handle.drop()
        known = {field.name for field in handle.table.schema().fields}
        if not known.issuperset(field.name for field in missing):
            raise


@cache
def _writer_properties() -> "WriterProperties":
    from deltalake import ColumnProperties, WriterProperties

    plain = dict.fromkeys(DISTINCT, ColumnProperties(dictionary_enabled=False))
    return WriterProperties(
        compression="ZSTD", compression_level=1, max_row_group_size=ROW_GROUP, column_properties=plain
    )


class Handle:
    """An open Delta table. Opens on first use; not for use by several threads at once.

    One version of it is seen at a time. On a local disk a `Tail` moves that on, and delta-rs' picture of the table is
    brought there only when it is asked for.
    """

    def __init__(self, location: Location, name: str) -> None:
        self.name = name
        self.path = location.of(name)
        self._location = location
        self._table: DeltaTable | None = None
        self._tail: Tail | None = None
        self._opened_at, self._opened_time = 0, 0.0
        self._files: tuple[int, Files] | None = None
        self._extra: pa.Schema | None = None

    @property
    def table(self) -> "DeltaTable":
        """The table as last seen; where the log does not reach back there any more, as it is now."""
        if self._table is None:
            return self._open()
        if self._tail is None:
            return self._table
        return self._caught_up(self._table, self._tail.version)

    @property
    def version(self) -> int:
        """The table version last seen."""
        return self._tail.version if self._tail is not None else self.table.version()

    def refresh(self) -> bool:
        """See what others have committed; return whether it may have changed.

        Costs three file look-ups if not, on an object store one listing. Raises StoreError if the table cannot be read.
        """
        from deltalake.exceptions import DeltaError

        if self._table is None:
            self._open()
            return True
        before = self.version
        try:
            if self._tail is not None:
                self._tail.follow()
            elif self._is_old(before):
                raise CannotFollow
            else:
                self._table.update_incremental()
        except (CannotFollow, DeltaError, OSError):  # who was away for long finds the log cut, perhaps while reading it
            self._open()
            return True
        return self.version != before

    def _is_old(self, version: int) -> bool:
        """Return whether delta-rs should open the table afresh rather than bring it to a version."""
        return version - self._opened_at >= REOPEN_AFTER or time.monotonic() - self._opened_time >= REOPEN_S

    def _caught_up(self, table: "DeltaTable", version: int) -> "DeltaTable":
        from deltalake.exceptions import DeltaError

        old = self._is_old(version)
        try:
            if not old and table.version() != version:
                table.update_incremental()
            if old or table.version() != version:
                table = self._taken(self._location.table(self.name, version))
        except (DeltaError, OSError):
            return self._open()
        return table

    def drop(self) -> None:
        """Forget the open table; the next use opens it afresh."""
        self._table = self._tail = self._extra = None

    def position(self, app_id: str) -> int | None:
        """Return the version last committed for an application id, as last seen."""
        from deltalake.exceptions import DeltaError

        known = self._tail.positions if self._tail is not None else {}
        if app_id in known:
            return known[app_id]
        try:
            found = self.table.transaction_version(app_id)
        except DeltaError:  # who was stopped for minutes finds the log cut that the table was opened from
            found = self._open().transaction_version(app_id)
        if self._tail is not None:
            self._tail.positions[app_id] = found
        return found

    def positions(self, app_ids: Sequence[str]) -> list[int | None]:
        """Return the position of each of several app ids, all of them at one version."""
        version, found = -1, []
        while version != self.version:
            version, found = self.version, [self.position(app_id) for app_id in app_ids]
        return found

    def trim_log(self) -> None:
        """Delete log entries that are older than the log's retention and covered by a checkpoint."""
        with store_errors(f"clean the log of the table {self.path}"):
            self.refresh()
            self.table.cleanup_metadata()

    def checkpoint(self, after: int = 0) -> None:
        """Write a checkpoint of the version last seen, if the newest is so many versions behind."""
        if after and self._tail is not None and self._tail.version - self._tail.checkpointed() < after:
            return
        with store_errors(f"write a checkpoint of the table {self.path}"):
            self.table.create_checkpoint()

    @property
    def extra(self) -> pa.Schema:
        """The columns of the table that this version of the program does not know."""
        if self._extra is None:
            schema = pa.schema(self.table.schema().to_arrow())
            self._extra = pa.schema([field for field in schema if field.name not in telemetry.TABLES[self.name].names])
        return self._extra

    def append(self, rows: pa.Table, transactions: Sequence["Transaction"]) -> None:
        """Append rows of the schema in `telemetry.TABLES` in one commit. Raises what Delta Lake raises."""
        for field in self.extra:
            rows = rows.append_column(field, pa.nulls(len(rows), field.type))
        if self._tail is None:
            self._append_remotely(rows, transactions)
            return
        added = [written(self.path, self.name, rows)] if len(rows) else []
        self._tail.commit(added, {one.app_id: one.version for one in transactions})
        self.checkpoint(after=CHECKPOINT_AFTER)

    def _append_remotely(self, rows: pa.Table, transactions: Sequence["Transaction"]) -> None:
        from deltalake import CommitProperties, write_deltalake

        write_deltalake(
            self.table,
            rows,
            mode="append",
            commit_properties=CommitProperties(app_transactions=list(transactions)),
            post_commithook_properties=_after_commit(),
            writer_properties=_writer_properties(),
        )

    def replace(
        self, old: Sequence[str], new: Sequence[NewFile], transactions: Sequence["Transaction"], changed: bool
    ) -> None:
        """Take files out of the table and others in, in one commit; `changed`: the rows are not the same.

        Delta Lake (1.6) lets two commits remove the same file, and rows double. What it refuses is an app id that was
        committed after the snapshot the handle stands on; so two maintainers carry the same one. That all of `old` is
        in that snapshot is looked up here. Raises CommitFailedError or Superseded where a rival was faster.
        """
        from deltalake import CommitProperties, Transaction
        from deltalake.transaction import AddAction, RemoveAction

        table = self.table  # first: it may be opened afresh, and what is looked up is to be of that version
        if missing := set(old) - set(self.files().names):
            raise Superseded(f"{len(missing)} files are not in the table {self.path} any more")
        rank = (self.position(MAINTENANCE) or 0) + 1
        now = round(time.time() * 1000)
        added = [AddAction(file.name, file.size, {}, now, changed, file.stats) for file in new]
        removed = [RemoveAction(name, changed, now, partition_values={}) for name in old]
        table.create_write_transaction(
            [*added, *removed],
            "append",
            table.schema(),
            commit_properties=CommitProperties(app_transactions=[*transactions, Transaction(MAINTENANCE, rank)]),
            post_commithook_properties=_after_commit(),
        )
        self.refresh()

    def files(self) -> Files:
        """Return the table's data files as last seen."""
        if self._files is None or self._files[0] != self.version:
            files = self._listed()  # which may have opened it afresh
            self._files = (self.version, files)
        return self._files[1]

    def _listed(self) -> Files:
        if self._tail is not None and self._tail.files is not None:
            return Files(self.path, self._tail.files.values())
        files = Files.of(self.table, self.name, self.path)
        if self._tail is not None:
            self._tail.files = {file.name: file for file in files.each()}
        return files

    def _open(self) -> "DeltaTable":
        from deltalake.exceptions import TableNotFoundError

        try:
            table = self._loaded()
        except StoreError as error:
            if isinstance(error.__cause__, TableNotFoundError):
                raise StoreError(f"no table at {self.path}: is this the folder of a Faultline store?") from error
            table = self._loaded()  # who was stopped for minutes finds the log cut that was being read
        # A table that asks more of its writers than ours do is delta-rs' business.
        plain = self._location.is_local and table.protocol().min_writer_version <= _WRITER_VERSION
        self._tail = Tail(self.path, self.name, table.version()) if plain else None
        self._files = self._extra = None
        return self._taken(table)

    def _loaded(self) -> "DeltaTable":
        with store_errors(f"open the table {self.path}"):
            return self._location.table(self.name)

    def _taken(self, table: "DeltaTable") -> "DeltaTable":
        self._table, self._opened_at, self._opened_time = table, table.version(), time.monotonic()
        return table


def _after_commit() -> "PostCommitHookProperties":
    """Leave old log entries to the maintainer: of two that delete them at once, one fails, after its commit is made."""
    from deltalake import PostCommitHookProperties

    return PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)
