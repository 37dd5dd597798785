"""Maintenance: merge small files, thin out old snapshots, delete files and log entries out of use.

Writers and readers go on meanwhile: an append never conflicts with the merging of files, and a file stays on disk for
an hour after its last version (a day if no version ever named it: the leftovers of a killed writer).
"""

import contextlib
import fcntl
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import telemetry
from storage._sql import quoted
from storage._store import Store
from storage._tables import Handle, store_errors
from telemetry import StoreError

_log = logging.getLogger(__name__)

KEPT_SNAPSHOTS = 3
MERGE_FROM = 8
"""Tables with fewer small files are left alone."""
TARGET_BYTES = 32 * 1024 * 1024
RETENTION_HOURS = 1
ORPHAN_HOURS = 24


@dataclass(frozen=True)
class Compaction:
    """What compaction did to one table."""

    table: str
    files_before: int
    files_after: int
    deleted: int


def compact(store: Store, tables: Sequence[str] = tuple(telemetry.TABLES)) -> list[Compaction]:
    """Compact tables and return what was done to each; nothing where another process is at it.

    Raises StoreError if a table cannot be read or written.
    """
    with _lease(store) as alone:
        return [_compact_table(store, name) for name in tables] if alone else []


@contextlib.contextmanager
def _lease(store: Store) -> Iterator[bool]:
    """Hold the store's only maintenance lease, or yield False where another thread or process holds it.

    Two merges of the same files would both succeed and double the rows: Delta Lake (1.6) finds no conflict between
    them, whatever app transactions they carry. A file lock goes with its process, and a stopped process keeps it.
    """
    with store_errors(f"lock {store.folder}"), (store.folder / ".maintenance.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _compact_table(store: Store, name: str) -> Compaction:
    handle = Handle(store.folder, name)
    before = len(handle.files().paths)
    if before >= MERGE_FROM:
        if name == "state":
            _thin_snapshots(store, handle)
        _merge(handle)
    deleted = _vacuum(handle)
    handle.trim_log()
    return Compaction(name, before, len(handle.files().paths), deleted)


def _merge(handle: Handle) -> None:
    from deltalake import WriterProperties

    properties = WriterProperties(compression="ZSTD", compression_level=3, max_row_group_size=122_880)
    with _tolerating_conflicts(handle):
        handle.table.optimize.compact(target_size=TARGET_BYTES, writer_properties=properties)


def _thin_snapshots(store: Store, handle: Handle) -> None:
    """Delete all but the newest snapshots of each component."""
    with store.reader() as reader:
        oldest = reader.query(
            "SELECT component, min(position) AS position FROM (SELECT component, position FROM raw_state "
            "QUALIFY row_number() OVER (PARTITION BY component ORDER BY position DESC, time DESC) <= ?) "
            "GROUP BY component ORDER BY component",
            [KEPT_SNAPSHOTS],
        ).to_pylist()
    older = [f"(component = {quoted(row['component'])} AND position < {row['position']})" for row in oldest]
    with _tolerating_conflicts(handle):
        handle.table.delete(" OR ".join(older))


def _vacuum(handle: Handle) -> int:
    """Delete files that no version of the last hour names, and day-old files that none ever named."""
    with store_errors(f"vacuum the table {handle.path}"):
        handle.refresh()
        deleted = handle.table.vacuum(retention_hours=RETENTION_HOURS, dry_run=False)
        orphans = handle.table.vacuum(retention_hours=ORPHAN_HOURS, dry_run=False, full=True)
    return len(deleted) + len(orphans)


@contextlib.contextmanager
def _tolerating_conflicts(handle: Handle) -> Iterator[None]:
    """Let a commit that lost against a writer's pass: the next round finds what is left to do."""
    from deltalake.exceptions import CommitFailedError

    try:
        with store_errors(f"compact the table {handle.path}"):
            handle.refresh()
            yield
    except StoreError as error:
        if not isinstance(error.__cause__, CommitFailedError):
            raise
        _log.info("left the table %s to the next round: a writer came in between", handle.name)
        handle.drop()
