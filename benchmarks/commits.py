"""Measure commits over a day: `python -m benchmarks.commits FOLDER [--commits N] [--measure M]`.

It makes N flushes as the pipeline makes them: log rows with their templates and counts, metrics, spans, the ledger, and
a snapshot with every tenth; with the maintainer beside them. What FOLDER holds is gone on from, so a day of 86,400 can
be made in pieces. On the way there flushes are small and follow each other at once; what goes by the clock is hurried
by `_HURRY`, so that versions, files and entries of the log are about as many as after N seconds of one commit a second.
The last M flushes are of full size, one a second, by the clock as it is.
"""

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

import telemetry
from benchmarks.storage import DAY_US, SERVICES, START, TEMPLATES, Shop
from faultline.commits import Commit, Committer, Reached, ledger
from faultline.maintenance import MaintenanceThread
from faultline.settings import Settings
from faultline.worker import Counts
from storage import Move, Snapshot, Store, Writer
from telemetry import Partition

_DAY = 86_400
_WAY_ROWS, _FULL_ROWS = 300, 5_000
_POINTS, _SPANS = 200, 200
_HURRY = 10
_SNAPSHOT_BYTES = 100_000
_CLOCKED = {"delta.logRetentionDuration": 300, "delta.deletedFileRetentionDuration": 3600}
"""What a store's tables keep by the clock, in seconds, as the store sets it."""
_PARTITION = Partition("commits", "logs")

Times = dict[str, list[float]]


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Input:
    """What comes in: the rows of second n depend on n alone."""

    def __init__(self) -> None:
        self._shop = Shop()
        texts = [self._shop.template(n) for n in range(TEMPLATES)]
        rows = [
            {"template_id": id_, "service": f"service-{n % SERVICES:02d}", "template": text, "example": text}
            | {"first_seen": START, "last_seen": START, "count": 1, "source": "logs", "partition": 0, "offset": 0}
            for n, (text, id_) in enumerate(texts)
        ]
        self._definitions = pa.Table.from_pylist(rows, telemetry.TEMPLATES)

    def second(self, n: int, rows: int) -> dict[str, pa.Table]:
        """Return what a flush takes after second n, by table."""
        at, first = START + n * DAY_US // _DAY, n * _FULL_ROWS
        logs = self._shop.rows(first, rows, _DAY * _FULL_ROWS)
        counts = Counts(read=first + rows, stored=first + rows)
        reached = Reached(_PARTITION, first + _FULL_ROWS, at - 10_000_000, at - 10_000_000, False, counts, {})
        return {
            "logs": logs,
            "templates": self._definitions,
            "metrics": _filled(telemetry.METRICS, _POINTS, at, first, metric="cpu", value=0.5),
            "spans": _filled(telemetry.SPANS, _SPANS, at, first, duration_us=900, operation="get", status="ok"),
            "ledger": ledger([reached], "bench", {}),
        }


def _filled(schema: pa.Schema, rows: int, at: int, first: int, **values: object) -> pa.Table:
    """Return rows of a table that differ in time, service, ids and position."""
    names = pa.array([f"{n:016x}" for n in range(first, first + rows)])
    columns = {name: pa.repeat(pa.scalar(value, schema.field(name).type), rows) for name, value in values.items()}
    columns |= {"time": pa.array(np.arange(at, at + rows)).cast(telemetry.TIME), "trace_id": names, "span_id": names}
    columns |= {"service": pa.array([f"service-{n % SERVICES:02d}" for n in range(rows)])}
    columns |= {"source": pa.repeat("logs", rows), "partition": pa.array(np.zeros(rows, np.int32))}
    columns |= {"offset": pa.array(np.arange(first, first + rows)), "late": pa.repeat(False, rows)}
    return pa.table([columns.get(field.name, pa.nulls(rows, field.type)) for field in schema], schema=schema)


def measure(folder: Path, commits: int, last: int) -> None:
    """Take a store from where it is to so many commits, the last ones as in a run, and report."""
    store = Store.open(folder)
    say(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    given = Input()
    _keep(store, _HURRY)
    _flush_all(store, given, commits - last, _WAY_ROWS, hurry=_HURRY)
    _keep(store, 1)
    _flush_all(store, given, commits, _FULL_ROWS, hurry=1)


def _keep(store: Store, hurry: int) -> None:
    """Have the tables keep log entries and removed files for a part of the time."""
    properties = {name: f"interval {seconds // hurry} seconds" for name, seconds in _CLOCKED.items()}
    for table in telemetry.TABLES:
        store.location.table(table).alter.set_table_properties(properties)


def _flush_all(store: Store, given: Input, end: int, rows: int, hurry: int) -> None:
    """Flush up to commit `end` with the maintainer beside it, at most `hurry` a second where that is 1."""
    writer = store.writer()
    begin = _claimed(writer)
    if begin >= end:
        return
    settings = Settings.model_validate({"maintenance": {"interval_s": 30 / hurry}})
    part = max(1, (end - begin) // 10)
    whole: Times = defaultdict(list)
    began_cpu = time.process_time()
    with closing(MaintenanceThread(store, settings)) as maintainer, closing(Committer(writer)) as committer:
        maintainer.start()
        for start in range(begin, end, part):
            cpu = time.process_time()
            with _timed_tables() as times:
                for n in range(start, min(start + part, end)):
                    began = time.monotonic()
                    times["a flush"].append(_flush(committer, given, n, rows))
                    if hurry == 1:
                        time.sleep(max(0.0, began + 1 - time.monotonic()))
            _report(store, min(start + part, end), rows, times, time.process_time() - cpu)
            for name, found in times.items():
                whole[name] += found
    say(f"these {end - begin:,} in all:")
    _report(store, end, rows, whole, time.process_time() - began_cpu)


def _claimed(writer: Writer) -> int:
    """Return how many commits there are, with the partition claimed for this process."""
    writer.restore(_PARTITION.app_id)
    return (writer.position("ledger", _PARTITION.app_id) or 0) // _FULL_ROWS


def _flush(committer: Committer, given: Input, n: int, rows: int) -> float:
    """Make commit n; return the milliseconds it took."""
    moves = [Move.of(_PARTITION, n * _FULL_ROWS, (n + 1) * _FULL_ROWS)]
    states = [Snapshot(_PARTITION.app_id, moves[0].next, 1, os.urandom(_SNAPSHOT_BYTES))] if n % 10 == 9 else []
    committer.begin(Commit(given.second(n, rows), moves, states, []))
    while (done := committer.settle(60)) is None:
        pass
    return done.seconds * 1e3


@contextmanager
def _timed_tables() -> Iterator[Times]:
    """Note the milliseconds that each table of a commit takes, by table."""
    times: Times = defaultdict(list)
    real = Writer._commit_table

    def timed(self: Writer, name: str, rows: pa.Table | None, moves: list[Move]) -> None:
        began = time.perf_counter()
        real(self, name, rows, moves)
        if rows is not None and rows.num_rows:
            times[name].append((time.perf_counter() - began) * 1e3)

    Writer._commit_table = timed  # type: ignore[assignment, method-assign]
    try:
        yield times
    finally:
        Writer._commit_table = real  # type: ignore[method-assign]


def _report(store: Store, at: int, rows: int, times: Times, cpu_s: float) -> None:
    cpu = cpu_s * 1e3 / len(times["a flush"])
    parts = [f"{name} {np.median(found):.0f}/{np.percentile(found, 95):.0f}" for name, found in sorted(times.items())]
    say(f"to {at:,} ({rows:,} rows each, {cpu:.0f} CPU-ms with the maintainer's), median/p95 ms: {', '.join(parts)}")
    entries, size = _logs(store)
    files = {info.table: info.files for info in store.describe() if info.table in times}
    say(f"  logs of the tables: {entries:,} files, {size / 1e6:.1f} MB; files: {files}")


def _logs(store: Store) -> tuple[int, int]:
    """Return how many files the tables' logs are, and their bytes."""
    sizes = []
    for path in store.location.folder.glob("*/_delta_log/*"):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:  # the maintainer has dropped it
            continue
    return len(sizes), sum(sizes)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure commits over a day at one a second.")
    parser.add_argument("folder", type=Path, help="where the store is written, and gone on with")
    parser.add_argument("--commits", type=int, default=_DAY, help="commits the store has in the end")
    parser.add_argument("--measure", type=int, default=900, help="of these, the last ones, at one a second")
    found = parser.parse_args()
    measure(found.folder, found.commits, found.measure)


if __name__ == "__main__":
    main()
