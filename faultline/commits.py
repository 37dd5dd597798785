"""Commits beside the loop: a thread of its own stores what one flush took, while the next rows are read and parsed.

One commit is under way at most, so commits keep their order, and no more than one waits in memory beside the rows of
the next. What a commit says of a partition was noted when its rows were taken: the partition moves on meanwhile.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import structlog

import telemetry
from faultline.sums import with_sums
from faultline.worker import Counts, PartitionWorker
from telemetry import Partition, StoreFull

if TYPE_CHECKING:
    from faultline.own_metrics import OwnMetrics
    from ingest import DeadLetterTopic
    from storage import Move, Snapshot, Writer

log = structlog.get_logger()

_FULL_S = 2.0
"""Seconds between attempts to commit to a store that is full."""


class Buffer:
    """Rows waiting for the next commit."""

    def __init__(self) -> None:
        self.tables: dict[str, list[pa.Table]] = {}
        self.bytes = 0

    def add(self, rows: Mapping[str, pa.Table]) -> None:
        """Take rows, by table name."""
        for name, table in rows.items():
            self.tables.setdefault(name, []).append(table)
            self.bytes += table.nbytes

    def take(self) -> dict[str, pa.Table]:
        """Return all rows by table name, and begin anew."""
        tables = {name: pa.concat_tables(parts) for name, parts in self.tables.items()}
        self.tables, self.bytes = {}, 0
        return tables


@dataclass(frozen=True)
class Reached:
    """How far a partition had come when a commit was made of its rows."""

    partition: Partition
    next: int
    watermark: int | None
    mark: int | None  # as `PartitionWorker.mark`
    closed: bool
    counts: Counts
    redacted: dict[str, int]

    @classmethod
    def by(cls, worker: PartitionWorker) -> "Reached":
        """Return how far a worker has come by now."""
        counts, redacted = replace(worker.counts), dict(worker.redacted)
        marks = worker.watermark, worker.mark
        return cls(worker.partition, worker.position, *marks, worker.closed, counts, redacted)


@dataclass(frozen=True)
class Commit:
    """One commit: its rows by table, the positions it covers, the state that belongs to these, and how far the
    partitions with news had come. `seconds`: how long it took.
    """

    tables: dict[str, pa.Table]
    moves: "Sequence[Move]"
    states: "Sequence[Snapshot]"
    reached: Sequence[Reached]
    seconds: float = 0.0


class Committer:
    """Makes commits, one at a time, in a thread of its own.

    From `begin` until `settle` has returned the commit or raised, the writer is that thread's. Dead letters go to
    `outlet` before their position is committed. A store that is full keeps its commit, which is repeated until there is
    room: what it wrote already is dropped then.
    """

    def __init__(
        self, writer: "Writer", outlet: "DeadLetterTopic | None" = None, own: "OwnMetrics | None" = None
    ) -> None:
        self._writer, self._outlet, self._own = writer, outlet, own
        self._thread = ThreadPoolExecutor(1, "commit")
        self._under_way: Future[Commit] | None = None
        self._full, self._quit = threading.Event(), threading.Event()

    @property
    def busy(self) -> bool:
        """Whether a commit is under way, or its outcome was not asked for yet."""
        return self._under_way is not None

    @property
    def full(self) -> bool:
        """Whether the commit under way waits for room in the store."""
        return self._full.is_set()

    def begin(self, commit: Commit) -> None:
        """Start a commit; none may be under way."""
        assert self._under_way is None
        self._under_way = self._thread.submit(self._store, commit)

    def settle(self, timeout_s: float = 0.0) -> Commit | None:
        """Return the commit under way if it is stored within some seconds, else None.

        Raises what storing it raised, Fenced, StoreError and SourceError (of the dead letters' topic) among them.
        """
        future = self._under_way
        if future is None or not wait([future], timeout_s).done:
            return None
        self._under_way = None
        return future.result()

    def close(self) -> None:
        """Finish the commit under way, unless the store is full, and end the thread."""
        self._quit.set()
        self._thread.shutdown()

    def _store(self, commit: Commit) -> Commit:
        began = time.monotonic()
        tables = with_sums(commit.tables, self._writer, commit.moves)
        if self._outlet and "dead_letters" in tables:
            self._outlet.send(self._writer.fresh("dead_letters", tables["dead_letters"], commit.moves))
        while not self._stored(tables, commit):
            self._writer.reclaim(commit.moves)
        return replace(commit, seconds=time.monotonic() - began)

    def _stored(self, tables: dict[str, pa.Table], commit: Commit) -> bool:
        """Store a commit; return False, after a while, where there was no room for it."""
        try:
            self._writer.commit(tables, commit.moves, commit.states)
        except StoreFull as error:
            log.error("the store is full: taking nothing more until there is room", error=str(error))
            self._tell(full=True)
            if self._quit.wait(_FULL_S):
                raise
            return False
        if self.full:
            log.info("the store has room again: going on")
        self._tell(full=False)
        return True

    def _tell(self, full: bool) -> None:
        (self._full.set if full else self._full.clear)()
        if self._own is not None:
            self._own.store_full(full)


def ledger(reached: Sequence[Reached], worker: str, ends: Mapping[str, int]) -> pa.Table:
    """Return the LEDGER rows of a commit; `worker` names who makes it, `ends` say where inputs end."""
    now = datetime.now(UTC)
    rows = [
        {
            "time": now,
            "app_id": one.partition.app_id,
            "source": one.partition.source,
            "partition": one.partition.number,
            "next": one.next,
            "watermark": one.watermark,
            "closed": one.closed,
            "redacted": sorted(one.redacted.items()) or None,
            **vars(one.counts),
            "worker": worker,
            "end": ends.get(one.partition.app_id),
        }
        for one in reached
    ]
    return pa.Table.from_pylist(rows, telemetry.LEDGER)
