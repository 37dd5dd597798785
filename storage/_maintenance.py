"""Maintenance: apply retention, merge small files, thin out old snapshots, delete files and log entries out of use.

Writers and readers go on meanwhile: an append never conflicts with the merging of files, and a file stays on disk for
an hour after its last version (a day if no version ever named it: the leftovers of a killed writer).
"""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import telemetry
from storage._files import DataFile, total
from storage._lease import lease
from storage._retention import DAY_US, Clock, Retention, expired
from storage._rewrite import Horizon, merge, plan
from storage._sql import connect
from storage._store import Store
from storage._tables import Handle, Superseded, store_errors
from telemetry import StoreError

_log = logging.getLogger(__name__)

RETENTION_HOURS = 1
ORPHAN_HOURS = 24
MERGES_A_TURN = 4
"""Most merges of one table in a turn of the background; what is left is done in the next."""
_CHECKPOINT_AFTER = 50
"""Versions without a checkpoint after which a turn writes one: who opens the table reads an entry for each."""
_MEMORY = "512MiB"
_FOREVER = Retention(None)


@dataclass(frozen=True)
class Compaction:
    """What maintenance did to one table: files before and after, rows that retention dropped, files deleted."""

    table: str
    files_before: int
    files_after: int
    expired_rows: int
    deleted: int


def compact(
    store: Store, retention: Retention = _FOREVER, tables: Sequence[str] = tuple(telemetry.TABLES)
) -> list[Compaction]:
    """Do all there is to do for tables and return what was done to each; nothing where another process is at it.

    Raises StoreError if a table cannot be read or written.
    """
    return _maintain(store, retention, tables, full=True, clean=True, stop=threading.Event())


def maintain(store: Store, retention: Retention, clean: bool, stop: threading.Event) -> list[Compaction]:
    """Do a bounded part of the work, so that the background can take turns.

    `clean`: also delete what is out of use. `stop`: once set, begin nothing more. Returns and raises as `compact` does.
    """
    return _maintain(store, retention, tuple(telemetry.TABLES), full=False, clean=clean, stop=stop)


def _maintain(
    store: Store, retention: Retention, tables: Sequence[str], full: bool, clean: bool, stop: threading.Event
) -> list[Compaction]:
    with lease(store.location) as alone:
        if not alone:
            return []
        handles = {name: Handle(store.location, name) for name in telemetry.TABLES}
        files = {name: handle.files().each() for name, handle in handles.items()}
        dropped = _expire(store, handles, files, retention)
        work = _Work(store, _horizon(files), full, clean, stop)
        return [work.on(handles[name], files[name], dropped.get(name, 0)) for name in tables if not stop.is_set()]


def _expire(
    store: Store, handles: dict[str, Handle], files: dict[str, list[DataFile]], retention: Retention
) -> dict[str, int]:
    """Drop what retention does not keep; return the number of rows by table."""
    if retention == _FOREVER:
        return {}
    gone = expired(files, retention, _clock(store))
    for table, old in gone.items():
        with _tolerating_conflicts(handles[table]):
            handles[table].replace([file.name for file in old], [], [], changed=True)
            _log.warning("retention dropped %d rows, %d bytes of %s", _rows(old), total(old), table)
    return {table: _rows(old) for table, old in gone.items()}


def _rows(files: Sequence[DataFile]) -> int:
    return sum(file.rows for file in files)


def _clock(store: Store) -> Clock:
    with store.reader() as reader:
        marks = reader.query("SELECT epoch_us(max(watermark)) AS event FROM raw_ledger")
        onsets = reader.query("SELECT epoch_us(min(onset)) AS onset FROM incidents WHERE status <> 'resolved'")
    return Clock(marks["event"][0].as_py(), time.time_ns() // 1000, onsets["onset"][0].as_py())


def _horizon(files: dict[str, list[DataFile]]) -> Horizon:
    now = time.time_ns() // 1000
    return Horizon(
        oldest_log=min((file.first for file in files["logs"]), default=0),
        newest_ledger=max((file.last for file in files["ledger"]), default=0),
        stale_state=now - 7 * DAY_US,
    )


@dataclass(frozen=True)
class _Work:
    """What one turn does to each table."""

    store: Store
    at: Horizon
    full: bool
    clean: bool
    stop: threading.Event

    def on(self, handle: Handle, files: list[DataFile], dropped: int) -> Compaction:
        before = len(files)
        if not handle.extra:  # columns of a newer version would be lost: it will merge them itself
            present = set(handle.files().names)
            chunks = plan(handle.name, [file for file in files if file.name in present], self.full)
            for chunk in chunks if self.full else chunks[:MERGES_A_TURN]:
                self._merge(handle, chunk)
        deleted = 0
        if self.clean and not self.stop.is_set():
            deleted = _vacuum(handle)
            handle.checkpoint()
        handle.checkpoint(after=_CHECKPOINT_AFTER)
        handle.trim_log()  # each turn: who opens the table lists the log
        return Compaction(handle.name, before, len(handle.files().paths), dropped, deleted)

    def _merge(self, handle: Handle, chunk: Sequence[DataFile]) -> None:
        import duckdb

        if self.stop.is_set():
            return
        try:
            with (
                _tolerating_conflicts(handle),
                connect(self.store.location, _MEMORY, threads=1) as connection,
            ):
                merge(self.store.location, handle, chunk, connection, self.at)
        except duckdb.OutOfMemoryException:
            _log.warning("left %d files of %s as they are: merging takes over %s", len(chunk), handle.name, _MEMORY)


def _vacuum(handle: Handle) -> int:
    """Delete files that no version of the last hour names, and day-old files that none ever named."""
    with store_errors(f"vacuum the table {handle.path}"):
        handle.refresh()
        deleted = handle.table.vacuum(retention_hours=RETENTION_HOURS, dry_run=False)
        orphans = handle.table.vacuum(retention_hours=ORPHAN_HOURS, dry_run=False, full=True)
    return len(deleted) + len(orphans)


@contextlib.contextmanager
def _tolerating_conflicts(handle: Handle) -> Iterator[None]:
    """Let a commit that lost against a rival's pass: the next round finds what is left to do."""
    from deltalake.exceptions import CommitFailedError

    try:
        with store_errors(f"compact the table {handle.path}"):
            handle.refresh()
            yield
    except StoreError as error:
        if not isinstance(error, Superseded) and not isinstance(error.__cause__, CommitFailedError):
            raise
        _log.info("left the table %s to the next round: another process came in between", handle.name)
        handle.drop()
