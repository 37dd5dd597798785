"""The order of the stages, and the one place that knows it: source, parsing, storage, correlator.

The loop reads batches, runs each through its partition's worker, and once a second commits what came out, with the
positions reached. Whatever happens in between is undone by reading again from the committed positions. The
correlator follows in a thread of its own, by what the tables say, so rows never wait for a detector.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import structlog

import telemetry
from faultline.worker import STATE_VERSION, Counts, PartitionWorker
from telemetry import Batch, FaultlineError, Fenced, Partition, StoreFull

if TYPE_CHECKING:
    from faultline.correlator import Correlator
    from faultline.own_metrics import OwnMetrics
    from faultline.settings import Settings
    from ingest import DeadLetterTopic, Source
    from storage import Move, Snapshot, Store, Writer

log = structlog.get_logger()

_POLL_S = 0.2
_FULL_S = 2.0
"""Seconds between attempts to commit to a store that is full."""
_HOLD_S = 1.0
"""How long the last record of a silent stream waits for a line that may continue it."""
_KEPT_SNAPSHOTS = 3
"""A snapshot that fails its checksum is passed over for the one before; the input of so many is kept."""


@dataclass
class Accounting:
    """What a run did: totals over its partitions, per partition, and what it left out."""

    partitions: dict[str, Counts] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    redacted: dict[str, int] = field(default_factory=dict)
    """Texts replaced, by kind."""

    @property
    def total(self) -> Counts:
        """Sums over all partitions."""
        return sum(self.partitions.values(), Counts())


class _Buffer:
    """Rows waiting for the next commit."""

    def __init__(self) -> None:
        self.tables: dict[str, list[pa.Table]] = {}
        self.bytes = 0

    def add(self, rows: Mapping[str, pa.Table]) -> None:
        for name, table in rows.items():
            self.tables.setdefault(name, []).append(table)
            self.bytes += table.nbytes

    def take(self) -> dict[str, pa.Table]:
        tables = {name: pa.concat_tables(parts) for name, parts in self.tables.items()}
        self.tables, self.bytes = {}, 0
        return tables


@dataclass(frozen=True)
class _Pending:
    """One commit: its rows, whose they are, what it covers, and the state that belongs to it."""

    tables: dict[str, pa.Table]
    moved: list[PartitionWorker]
    moves: list["Move"]
    states: list["Snapshot"]


class Pipeline:
    """Moves one source into one store, exactly once.

    `step` reads and processes; `flush` commits. Raises what the source and the store raise, except `Fenced`: then
    the partition has another owner or had one, and its state is read again from the store. Rows with an event time
    before `late_before_us` are late whatever came before them. Dead letters go to `outlet` before their position is
    committed: a crash in between sends them again.
    """

    def __init__(
        self,
        source: "Source",
        store: "Store",
        settings: "Settings",
        own: "OwnMetrics | None" = None,
        late_before_us: int | None = None,
        outlet: "DeadLetterTopic | None" = None,
    ) -> None:
        self._source, self._store, self._settings, self._own = source, store, settings, own
        self._late_before_us, self._outlet = late_before_us, outlet
        self._writer: Writer = store.writer()
        self._workers: dict[str, PartitionWorker] = {}
        self._committed: dict[str, int] = {}
        self._last_row: dict[str, float] = {}
        self._marked: dict[str, int | None] = {}
        self._snapped: dict[str, int] = {}
        self._kept: dict[str, deque[int]] = {}  # positions of the snapshots a restart may go back to
        self._buffer = _Buffer()
        self._pending: _Pending | None = None
        self._flushed_at = self._snapshot_at = time.monotonic()
        self._begun = True
        self.rows_committed = 0

    @property
    def known(self) -> frozenset[str]:
        """App ids of the partitions of the input, other workers' included."""
        return self._source.known | self._workers.keys()

    @property
    def accounting(self) -> Accounting:
        """Totals so far, uncommitted rows included."""
        counts = {worker.partition.app_id: worker.counts for worker in self._workers.values()}
        redacted = sum((Counter(worker.redacted) for worker in self._workers.values()), Counter())
        return Accounting(counts, list(self._source.skipped), redacted=dict(sorted(redacted.items())))

    @property
    def is_full(self) -> bool:
        """Whether a commit waits for room in the store."""
        return self._pending is not None

    def step(self, newest: int | None = None) -> None:
        """Take partitions over where the assignment changed, then read once and process what came.

        `newest` is the highest watermark of any partition in the store: as far as time may pass on silent ones.
        """
        if self.is_full:
            time.sleep(_POLL_S)
            self.flush()
            return
        self._assign(self._source.partitions())
        marks = {app: worker.watermark for app, worker in self._workers.items()}
        batches = self._source.poll(_POLL_S, marks)
        for batch in batches:
            self._process(batch)
        self._let_time_pass(newest)
        full = self._buffer.bytes >= self._settings.commit.max_bytes
        if full or self._due(self._flushed_at, self._settings.commit.interval_s) or self._has_first_news():
            self.flush()

    def _has_first_news(self) -> bool:
        """Whether there is something new since partitions came: people wait for the first rows after a restart."""
        if self._begun:
            return False
        self._begun = any(worker.position > self._committed[app] for app, worker in self._workers.items())
        return self._begun

    def _process(self, batch: Batch) -> None:
        app = batch.partition.app_id
        worker = self._workers.get(app)
        if worker is None:  # revoked between poll and now; its new owner reads it
            return
        self._buffer.add(worker.process(batch))
        self._last_row[app] = time.monotonic()

    def _assign(self, partitions: Iterable[Partition]) -> None:
        wanted = {partition.app_id: partition for partition in partitions}
        if wanted.keys() == self._workers.keys():
            return
        if self._workers.keys() - wanted.keys():
            self.flush(snapshot=True)  # whoever has them next then has little to read again
        for app in self._workers.keys() - wanted.keys():
            del self._workers[app], self._committed[app]
            self._kept.pop(app, None)
        fresh = [wanted[app] for app in wanted.keys() - self._workers.keys()]
        self._take_over(fresh)
        self._begun = False
        self.flush()  # the ledger now names the new partitions: the correlator waits for them

    def _take_over(self, partitions: Iterable[Partition]) -> None:
        fresh = {}
        for partition in partitions:
            app = partition.app_id
            self._workers[app] = self._restore(partition)
            if self._late_before_us is not None:
                self._workers[app].advance(self._late_before_us)
            fresh[app] = self._workers[app].position
            self._committed[app] = self._writer.position("ledger", app) or 0
            self._last_row[app] = time.monotonic()
            self._marked.pop(app, None)
        self._source.seek(fresh)

    def _restore(self, partition: Partition) -> PartitionWorker:
        from parsing import Parser

        settings, lateness = self._settings.parser(), round(self._settings.windows.allowed_lateness_s * 1e6)
        redactor = self._settings.redactor()
        snapshot = self._writer.restore(component(partition.app_id), STATE_VERSION)
        if snapshot is None:
            if settings.frozen:
                log.warning("parsing.frozen is on and nothing was learnt of this input", partition=partition.app_id)
            return PartitionWorker(partition, Parser(settings), lateness, redactor=redactor)
        log.info("partition restored", partition=partition.app_id, position=snapshot.position)
        return PartitionWorker.restore(
            partition,
            snapshot.position,
            snapshot.payload,
            lateness,
            lambda data: Parser.restore(data, settings),
            redactor,
        )

    def _let_time_pass(self, newest: int | None) -> None:
        """On silent partitions complete held-back records, and after `idle_s` let event time pass.

        A partition with more to read is not silent, so a backlog is never overtaken.
        """
        now = time.monotonic()
        silent = {app: now - self._last_row[app] for app in self._source.drained & self._workers.keys()}
        for app in sorted(app for app, seconds in silent.items() if seconds > _HOLD_S):
            self._buffer.add(self._workers[app].release())
        running = {app for app, worker in self._workers.items() if not worker.closed}
        idle = sorted(app for app in running & silent.keys() if silent[app] > self._settings.windows.idle_s)
        others = [self._workers[app].watermark for app in running.difference(idle)]
        marks = [mark for mark in (newest, *others) if mark is not None]
        for app in idle if marks else ():
            self._workers[app].advance(max(marks))

    def _due(self, since: float, seconds: float) -> bool:
        return time.monotonic() - since >= seconds

    def flush(self, snapshot: bool = False) -> None:
        """Commit what is buffered, with the positions reached; on `snapshot` or when due, with the state as well.

        Where the store is full, the commit waits, and `step` takes nothing more until it went through.
        """
        if self._pending is not None:
            self._try_again(self._pending)
            if self._pending is not None:
                return
        self._flushed_at = time.monotonic()
        moved = [w for w in self._workers.values() if self._has_news(w)]
        if not moved:
            return
        tables = self._with_sums(self._buffer.take(), self._moves(moved))
        tables["ledger"] = _ledger(moved, self._settings.worker_name, self._source.ends)
        states = self._snapshots() if snapshot or self._due(self._snapshot_at, self._settings.commit.snapshot_s) else []
        if self._outlet and "dead_letters" in tables:
            self._outlet.send(self._writer.fresh("dead_letters", tables["dead_letters"], self._moves(moved)))
        self._commit(_Pending(tables, moved, self._moves(moved, states), states))

    def _commit(self, pending: "_Pending") -> None:
        try:
            self._writer.commit(pending.tables, pending.moves, pending.states)
        except Fenced as error:
            log.warning("fenced: another worker owns a partition of ours", error=str(error))
            self._pending = None
            self._start_over()
            return
        except StoreFull as error:
            log.error("the store is full: taking nothing more until there is room", error=str(error))
            self._hold(pending)
            return
        self._hold(None)
        for worker in pending.moved:
            self._committed[worker.partition.app_id] = worker.position
            self._marked[worker.partition.app_id] = _mark(worker)
        tables = pending.tables
        self.rows_committed += sum(len(tables[name]) for name in ("logs", "metrics", "spans") if name in tables)
        self._acknowledge(pending.states)
        self._publish(pending.moved, tables.get("dead_letters"))

    def _acknowledge(self, states: Iterable["Snapshot"]) -> None:
        """Tell the source what nobody will ask for again: all below the oldest snapshot a restart may go back to."""
        for state in states:
            self._kept.setdefault(state.app_id, deque(maxlen=_KEPT_SNAPSHOTS)).append(state.position)
        self._source.acknowledge({app: kept[0] for app, kept in self._kept.items() if len(kept) == _KEPT_SNAPSHOTS})

    def _hold(self, pending: "_Pending | None") -> None:
        """Keep a commit for later, or note that there is none to keep."""
        if self._pending is not None and pending is None:
            log.info("the store has room again: going on")
        self._pending = pending
        if self._own is not None:
            self._own.store_full(pending is not None)

    def _try_again(self, pending: "_Pending") -> None:
        """Repeat a commit that found no room, at most every few seconds."""
        if self._due(self._flushed_at, _FULL_S):
            self._flushed_at = time.monotonic()
            self._writer.reclaim(pending.moves)
            self._commit(pending)

    def _has_news(self, worker: PartitionWorker) -> bool:
        app = worker.partition.app_id
        if app not in self._marked or worker.position != self._committed[app]:
            return True
        old, new = self._marked[app], _mark(worker)
        window = round(self._settings.windows.window_s * 1e6)
        return new != old and (worker.closed or old is None or (new is not None and new - old >= window // 2))

    def _start_over(self) -> None:
        partitions = [worker.partition for worker in self._workers.values()]
        self._buffer = _Buffer()
        self._workers.clear()
        self._snapped.clear()
        self._kept.clear()
        self._take_over(partitions)

    def _snapshots(self) -> list["Snapshot"]:
        from storage import Snapshot

        self._snapshot_at = time.monotonic()
        moved = [(app, w) for app, w in self._workers.items() if self._snapped.get(app) != w.position]
        self._snapped |= {app: worker.position for app, worker in moved}
        return [Snapshot(component(app), w.position, STATE_VERSION, w.snapshot()) for app, w in moved]

    def _with_sums(self, tables: dict[str, pa.Table], moves: Sequence["Move"]) -> dict[str, pa.Table]:
        """Add per-minute counts and count the templates, each over the rows its own table does not have yet."""
        definitions = tables.pop("templates", telemetry.TEMPLATES.empty_table())
        if logs := tables.get("logs"):
            tables["log_counts"] = log_counts(self._writer.fresh("log_counts", logs, moves))
            tables["templates"] = template_deltas(self._writer.fresh("templates", logs, moves), definitions)
        return tables

    def _moves(self, moved: Iterable[PartitionWorker], states: Iterable["Snapshot"] = ()) -> list["Move"]:
        from storage import Move

        owners = {worker.partition.app_id for worker in moved} | {state.app_id for state in states}
        workers = [self._workers[app] for app in sorted(owners)]
        return [Move.of(w.partition, self._committed[w.partition.app_id], w.position) for w in workers]

    def _publish(self, moved: Iterable[PartitionWorker], dead_letters: pa.Table | None) -> None:
        if self._own is None:
            return
        if dead_letters is not None:
            units = dead_letters.group_by("reason").aggregate([("units", "sum")])
            for reason, count in zip(units["reason"].to_pylist(), units["units_sum"].to_pylist(), strict=True):
                self._own.rejected(reason, count)
        self._own.observe_commit(time.monotonic() - self._flushed_at)
        for worker in moved:
            origin = worker.partition.source, worker.partition.number
            self._own.account(*origin, worker.counts, worker.watermark, worker.redacted)
        overflow = [worker.overflow for worker in self._workers.values()]
        self._own.parsers(sum(services for services, _ in overflow), sum(records for _, records in overflow))


def component(app_id: str) -> str:
    """The name of a partition's state in the `state` table."""
    return f"partition:{app_id}"


def _mark(worker: PartitionWorker) -> int | None:
    return worker.watermark if not worker.closed else 2**62


def _ledger(workers: Iterable[PartitionWorker], name: str, ends: Mapping[str, int]) -> pa.Table:
    now = datetime.now(UTC)
    rows = [
        {
            "time": now,
            "app_id": worker.partition.app_id,
            "source": worker.partition.source,
            "partition": worker.partition.number,
            "next": worker.position,
            "watermark": worker.watermark,
            "closed": worker.closed,
            "redacted": sorted(worker.redacted.items()) or None,
            **vars(worker.counts),
            "worker": name,
            "end": ends.get(worker.partition.app_id),
        }
        for worker in workers
    ]
    return pa.Table.from_pylist(rows, telemetry.LEDGER)


def log_counts(logs: pa.Table) -> pa.Table:
    """Return LOG_COUNTS partial sums of log rows."""
    keys = ["minute", "service", "severity_number", "template_id", "source", "partition"]
    minutes = pc.floor_temporal(logs["time"], unit="minute")
    sums = logs.append_column("minute", minutes).group_by(keys).aggregate([("offset", "count"), ("offset", "max")])
    return _shape(sums, telemetry.LOG_COUNTS, {"count": "offset_count", "offset": "offset_max"})


def template_deltas(logs: pa.Table, definitions: pa.Table) -> pa.Table:
    """Return TEMPLATES deltas: what `logs` adds to each template that `definitions` gives the text of."""
    keys = ["template_id", "service", "source", "partition"]
    sums = logs.group_by(keys).aggregate([("time", "min"), ("time", "max"), ("offset", "count"), ("offset", "max")])
    texts = definitions.group_by(["template_id"], use_threads=False).aggregate(
        [("template", "last"), ("example", "first")]
    )
    joined = sums.join(texts, "template_id", join_type="inner")
    names = {
        "first_seen": "time_min",
        "last_seen": "time_max",
        "count": "offset_count",
        "offset": "offset_max",
        "template": "template_last",
        "example": "example_first",
    }
    return _shape(joined, telemetry.TEMPLATES, names)


def _shape(table: pa.Table, schema: pa.Schema, names: Mapping[str, str]) -> pa.Table:
    columns = [table[names.get(column.name, column.name)].cast(column.type) for column in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def run_pipeline(
    source: "Source",
    store: "Store",
    settings: "Settings",
    *,
    once: bool,
    stop: threading.Event,
    on_progress: Callable[[Pipeline, "Correlator | None"], None] | None = None,
    own: "OwnMetrics | None" = None,
    close_windows: bool = False,
) -> Accounting:
    """Run until `stop` is set or, with `once`, the source is read to its end; then drain, commit and return.

    `close_windows`: at the end, detect in what came so far as if nothing more would come; with `once` that is so.
    Raises SourceError, StoreError. What is committed stays; a later run goes on from there.
    """
    from faultline.follower import CorrelatorThread
    from faultline.maintenance import MaintenanceThread

    began = time.monotonic()
    store.repair()
    outlet = settings.dead_letter_topic()
    pipeline = Pipeline(source, store, settings, own, outlet=outlet)
    follower = CorrelatorThread(store, settings, settings.worker_name, own)
    follower.start()
    maintainer = MaintenanceThread(store, settings, own)
    maintainer.start()
    try:
        while not stop.is_set() and not (once and source.finished):
            pipeline.step(follower.newest)
            follower.follow(pipeline.known)
            if on_progress:
                on_progress(pipeline, follower.correlator)
        pipeline.flush(snapshot=True)
        while pipeline.is_full and not stop.is_set():
            pipeline.step()
        if close_windows or (once and source.finished):
            follower.finish(pipeline.known, final=close_windows)
    finally:
        with suppress(FaultlineError):
            source.close()
        follower.close()
        maintainer.close()
        if outlet:
            outlet.close()
    accounting = pipeline.accounting
    accounting.seconds = time.monotonic() - began
    return accounting
