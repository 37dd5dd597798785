"""The order of the stages, and the one place that knows it: source, parsing, storage, correlator.

The loop reads batches, runs each through its partition's worker, and once a second hands what came out, with the
positions reached, to a thread that commits it. Whatever happens in between is undone by reading again from the
committed positions. The correlator follows in a thread of its own, by what the tables say, so rows never wait for a
detector.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from faultline._memory import keep_freed_memory
from faultline._start import resume_collector
from faultline.commits import Buffer, Commit, Committer, Reached, ledger
from faultline.worker import STATE_VERSION, Counts, PartitionWorker
from telemetry import Batch, FaultlineError, Fenced, Partition

if TYPE_CHECKING:
    from faultline.correlator import Correlator
    from faultline.own_metrics import OwnMetrics
    from faultline.settings import Settings
    from ingest import DeadLetterTopic, Source
    from storage import Move, Snapshot, Store, Writer

log = structlog.get_logger()

_POLL_S = 0.2
_ALONE_S = 3.0
"""How long the first rows have this process to themselves."""
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


class Pipeline:
    """Moves one source into one store, exactly once.

    `step` reads, processes, and commits when due, beside the steps that follow; `flush` commits what there is. Both
    raise what the source and the store raise, except `Fenced`: then the partition has another owner or had one, and its
    state is read again from the store. Rows with an event time before `late_before_us` are late whatever came before
    them. Dead letters go to `outlet` before their position is committed: a crash in between sends them again.
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
        self._late_before_us = late_before_us
        self._writer: Writer = store.writer()
        self._committer = Committer(self._writer, outlet, own)
        self._workers: dict[str, PartitionWorker] = {}
        self._committed: dict[str, int] = {}
        self._stored: dict[str, int] = {}  # as far as rows are stored: what is read again after a restart is below
        self._last_row: dict[str, float] = {}
        self._marked: dict[str, int | None] = {}
        self._snapped: dict[str, int] = {}
        self._kept: dict[str, deque[int]] = {}  # positions of the snapshots a restart may go back to
        self._buffer = Buffer()
        self._begun_at = self._snapshot_at = time.monotonic()
        self._awaited = False  # rows of partitions that have just come are waited for
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

    def step(self, newest: int | None = None) -> None:
        """Take partitions over where the assignment changed, then read once and process what came.

        `newest` is the highest watermark of any partition in the store: as far as time may pass on silent ones.
        """
        must_wait = self._committer.full or self._buffer.bytes >= self._settings.commit.max_bytes
        if not self._settle(_POLL_S if must_wait else 0.0) and must_wait:
            return
        if not self._assign(self._source.partitions()):
            return
        marks = {app: worker.watermark for app, worker in self._workers.items()}
        for batch in self._source.poll(_POLL_S, marks):
            self._process(batch)
        self._let_time_pass(newest)
        if self._settle() and self._is_due():
            self._begin()

    def _is_due(self) -> bool:
        """Whether it is time to commit; people wait for the first rows after a restart."""
        full = self._buffer.bytes >= self._settings.commit.max_bytes
        return full or self._passed(self._begun_at, self._settings.commit.interval_s) or self._has_first_news()

    def _has_first_news(self) -> bool:
        """Whether there is something new since partitions came."""
        return self._awaited and any(worker.position > self._stored[app] for app, worker in self._workers.items())

    def _process(self, batch: Batch) -> None:
        app = batch.partition.app_id
        worker = self._workers.get(app)
        if worker is None:  # revoked between poll and now; its new owner reads it
            return
        self._buffer.add(worker.process(batch))
        self._last_row[app] = time.monotonic()

    def _assign(self, partitions: Iterable[Partition]) -> bool:
        """Take over what is new and let go of what is not ours any more; return False if the store is too full to."""
        wanted = {partition.app_id: partition for partition in partitions}
        if wanted.keys() == self._workers.keys():
            return True
        lost = self._workers.keys() - wanted.keys()
        if not self.flush(snapshot=bool(lost)):  # whoever has them next then has little to read again
            return False
        for app in lost:
            del self._workers[app], self._committed[app], self._stored[app]
            self._kept.pop(app, None)
        self._take_over([wanted[app] for app in wanted.keys() - self._workers.keys()])
        self._awaited = False
        self._begin()  # the ledger now names the new partitions: the correlator waits for them
        self._awaited = True
        return True

    def _take_over(self, partitions: Iterable[Partition]) -> None:
        fresh = {}
        for partition in partitions:
            app = partition.app_id
            self._workers[app] = self._restore(partition)
            if self._late_before_us is not None:
                self._workers[app].advance(self._late_before_us)
            fresh[app] = self._workers[app].position
            self._committed[app] = self._writer.position("ledger", app) or 0
            self._stored[app] = max(self._writer.position(table, app) or 0 for table in ("logs", "metrics", "spans"))
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

    def _passed(self, since: float, seconds: float) -> bool:
        return time.monotonic() - since >= seconds

    def flush(self, snapshot: bool = False) -> bool:
        """Commit what there is, with the positions reached; on `snapshot` or when due, with the state as well.

        Returns when it is stored; False: the store is full, and something waits for room. Then try again.
        """
        if not self._finish():
            return False
        self._begin(snapshot)
        return self._finish()

    def _finish(self) -> bool:
        """Wait for the commit under way; return whether none is left, as the store may be full."""
        while not self._settle(_POLL_S):
            if self._committer.full:
                return False
        return True

    def _begin(self, snapshot: bool = False) -> None:
        """Hand over what there is to be committed; nothing is under way."""
        self._begun_at = time.monotonic()
        self._awaited &= not self._has_first_news()
        moved = [worker for worker in self._workers.values() if self._has_news(worker)]
        if not moved:
            return
        reached = [Reached.by(worker) for worker in moved]
        due = snapshot or self._passed(self._snapshot_at, self._settings.commit.snapshot_s)
        states = self._snapshots() if due else []
        tables = self._buffer.take()
        tables["ledger"] = ledger(reached, self._settings.worker_name, self._source.ends)
        self._committer.begin(Commit(tables, self._moves(moved, states), states, reached))

    def _settle(self, timeout_s: float = 0.0) -> bool:
        """Note what became of the commit under way, if that is known within some seconds; return whether none is."""
        try:
            commit = self._committer.settle(timeout_s)
        except Fenced as error:
            log.warning("fenced: another worker owns a partition of ours", error=str(error))
            self._start_over()
            return not self._committer.busy
        if commit is not None:
            if any(one.next > self._stored[one.partition.app_id] for one in commit.reached):
                self.rows_committed += sum(len(commit.tables.get(name, ())) for name in ("logs", "metrics", "spans"))
            for one in commit.reached:
                app = one.partition.app_id
                self._committed[app], self._marked[app] = one.next, one.mark
                self._stored[app] = max(self._stored[app], one.next)
            self._acknowledge(commit.states)
            self._publish(commit)
        return not self._committer.busy

    def _acknowledge(self, states: Iterable["Snapshot"]) -> None:
        """Tell the source what nobody will ask for again: all below the oldest snapshot a restart may go back to."""
        for state in states:
            self._kept.setdefault(state.app_id, deque(maxlen=_KEPT_SNAPSHOTS)).append(state.position)
        self._source.acknowledge({app: kept[0] for app, kept in self._kept.items() if len(kept) == _KEPT_SNAPSHOTS})

    def _has_news(self, worker: PartitionWorker) -> bool:
        app = worker.partition.app_id
        if app not in self._marked or worker.position != self._committed[app]:
            return True
        old, new = self._marked[app], worker.mark
        window = round(self._settings.windows.window_s * 1e6)
        return new != old and (worker.closed or old is None or (new is not None and new - old >= window // 2))

    def _start_over(self) -> None:
        partitions = [worker.partition for worker in self._workers.values()]
        self._buffer = Buffer()
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

    def _moves(self, moved: Iterable[PartitionWorker], states: Iterable["Snapshot"] = ()) -> list["Move"]:
        from storage import Move

        owners = {worker.partition.app_id for worker in moved} | {state.app_id for state in states}
        workers = [self._workers[app] for app in sorted(owners)]
        return [Move.of(w.partition, self._committed[w.partition.app_id], w.position) for w in workers]

    def _publish(self, commit: Commit) -> None:
        for one in commit.reached:
            if not one.counts.balanced:
                log.error("the account does not add up", partition=one.partition.app_id, **vars(one.counts))
        if self._own is None:
            return
        if (letters := commit.tables.get("dead_letters")) is not None:
            units = letters.group_by("reason").aggregate([("units", "sum")])
            for reason, count in zip(units["reason"].to_pylist(), units["units_sum"].to_pylist(), strict=True):
                self._own.rejected(reason, count)
        self._own.observe_commit(commit.seconds)
        for one in commit.reached:
            origin = one.partition.source, one.partition.number
            self._own.account(*origin, one.counts, one.watermark, one.redacted)
        overflow = [worker.overflow for worker in self._workers.values()]
        self._own.parsers(sum(services for services, _ in overflow), sum(records for _, records in overflow))

    def close(self) -> None:
        """Finish the commit under way, unless the store is full."""
        self._committer.close()


def component(app_id: str) -> str:
    """The name of a partition's state in the `state` table."""
    return f"partition:{app_id}"


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
    keep_freed_memory()
    store.repair()
    outlet = settings.dead_letter_topic()
    pipeline = Pipeline(source, store, settings, own, outlet=outlet)
    follower = CorrelatorThread(store, settings, settings.worker_name, own)
    maintainer = MaintenanceThread(store, settings, own)
    maintainer.start()
    try:
        while not stop.is_set() and not (once and source.finished):
            pipeline.step(follower.newest)
            if pipeline.rows_committed or time.monotonic() - began > _ALONE_S:
                resume_collector()
                follower.start()  # what it loads holds back the first rows of a restart
            follower.follow(pipeline.known)
            if on_progress:
                on_progress(pipeline, follower.correlator)
        while not pipeline.flush(snapshot=True) and not stop.is_set():
            time.sleep(_POLL_S)
        if close_windows or (once and source.finished):
            follower.finish(pipeline.known, final=close_windows)
    finally:
        with suppress(FaultlineError):
            source.close()
        pipeline.close()
        follower.close()
        maintainer.close()
        if outlet:
            outlet.close()
    accounting = pipeline.accounting
    accounting.seconds = time.monotonic() - began
    return accounting
