"""A small deterministic pipeline over the store, for tests: run in a thread, or as a process that can be killed.

Record n of a source is a metric point (n % 7 == 3), a dead letter (n % 11 == 5) or else a log row. Everything a
record becomes depends on n alone, so the tables after any crashes must equal those of one undisturbed run.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import pyarrow as pa

import telemetry
from storage import Move, Reader, Snapshot, Store, Writer
from telemetry import Fenced, Partition

SECOND = 1_000_000
START = 1_700_000_000 * SECOND


def kind(n: int) -> str:
    if n % 7 == 3:
        return "metrics"
    return "dead_letters" if n % 11 == 5 else "logs"


def _row(n: int, partition: Partition) -> dict[str, object]:
    origin = {"source": partition.source, "partition": partition.number, "offset": n}
    at = START + n * SECOND
    if kind(n) == "metrics":
        return {"time": at, "service": "cart", "metric": "cpu", "value": n / 7, "late": False, **origin}
    if kind(n) == "dead_letters":
        return {"time": at, "reason": "bad_json", "detail": "no", "units": 1, "raw": b"{", **origin}
    return {
        "time": at,
        "observed_time": at,
        "service": f"service-{n % 3}",
        "severity_number": 9 + 4 * (n % 2),
        "body": f"user {n} logged in",
        "template_id": n % 5,
        "params": [str(n)],
        "attributes": [("k", "v")],
        "late": False,
        **origin,
    }


def rows(table: str, start: int, stop: int, partition: Partition) -> pa.Table:
    """Return what the records [start, stop) put into a table."""
    found = [_row(n, partition) for n in range(start, stop) if kind(n) == table]
    return pa.Table.from_pylist(found, schema=telemetry.TABLES[table])


def log_counts(logs: pa.Table) -> pa.Table:
    """Sum log rows by minute, service, severity and template; the offset is the last record counted in."""
    counts: Counter[tuple[object, ...]] = Counter()
    last: dict[tuple[object, ...], dict[str, object]] = {}
    for row in logs.to_pylist():
        minute = row["time"].replace(second=0, microsecond=0)
        key = (minute, row["service"], row["severity_number"], row["template_id"])
        counts[key] += 1
        last[key] = row
    names = ("minute", "service", "severity_number", "template_id")
    origin = ("source", "partition", "offset")
    found = [
        {**dict(zip(names, key, strict=True)), "count": n, **{name: last[key][name] for name in origin}}
        for key, n in counts.items()
    ]
    return pa.Table.from_pylist(found, schema=telemetry.LOG_COUNTS)


def ledger(stop: int, partition: Partition) -> pa.Table:
    """Return the account of all records below `stop`."""
    kinds = Counter(kind(n) for n in range(stop))
    row = {
        "time": START,
        "app_id": partition.app_id,
        "source": partition.source,
        "partition": partition.number,
        "next": stop,
        "read": stop,
        "stored": kinds["logs"] + kinds["metrics"],
        "joined": 0,
        "dead_lettered": kinds["dead_letters"],
        "filtered": 0,
        "late": 0,
        "watermark": START + stop * SECOND,
        "closed": False,
    }
    return pa.Table.from_pylist([row], schema=telemetry.LEDGER)


def commit(writer: Writer, partition: Partition, start: int, stop: int, snapshot: bool) -> None:
    """Commit the records [start, stop) as a pipeline would."""
    moves = [Move.of(partition, start, stop)]
    tables = {name: rows(name, start, stop, partition) for name in ("logs", "metrics", "dead_letters")}
    tables["log_counts"] = log_counts(writer.fresh("log_counts", tables["logs"], moves))
    tables["ledger"] = ledger(stop, partition)
    component = f"partition:{partition.app_id}"
    states = [Snapshot(component, stop, 1, json.dumps({"seen": stop}).encode())] if snapshot else []
    writer.commit(tables, moves, states)


def restored(writer: Writer, partition: Partition) -> int:
    """Claim a partition and return where to go on."""
    snapshot = writer.restore(f"partition:{partition.app_id}")
    if snapshot is None:
        return 0
    assert json.loads(snapshot.payload) == {"seen": snapshot.position}
    return snapshot.position


def drain(
    writer: Writer,
    partition: Partition,
    total: int,
    sizes: Iterator[int],
    fenced: Callable[[], None] = lambda: None,
) -> None:
    """Process records up to `total` in commits of the given sizes, every third one with a snapshot."""
    position, commits = restored(writer, partition), 0
    while position < total:
        stop = min(total, position + next(sizes))
        try:
            commit(writer, partition, position, stop, snapshot=commits % 3 == 2)
            position = stop
        except Fenced:
            fenced()
            position = restored(writer, partition)
        commits += 1


def contents(reader: Reader) -> dict[str, list[dict[str, Any]]]:
    """Return everything that must not depend on crashes, batch sizes or rivals."""
    stored = {
        name: reader.query(f'SELECT * FROM {name} ORDER BY source, "partition", "offset"').to_pylist()
        for name in ("logs", "metrics", "dead_letters")
    }
    counts = (
        "SELECT minute, service, severity_number, template_id, sum(count) AS n FROM log_counts "
        "GROUP BY ALL ORDER BY ALL"
    )
    account = (
        "SELECT app_id, max(next) AS next, max(read) AS read, max(stored) AS stored, max(dead_lettered) AS dead "
        "FROM ledger GROUP BY app_id ORDER BY app_id"
    )
    return {**stored, "log_counts": reader.query(counts).to_pylist(), "ledger": reader.query(account).to_pylist()}


def main() -> None:
    """Drain partitions of one store: arguments are its folder, the total, and the names of the sources."""
    folder, total, *sources = sys.argv[1:]
    writer = Store.open(folder).writer()
    print("ready", flush=True)
    for source in sources:
        drain(writer, Partition(f"app-{source}", source), int(total), cycle([3, 11, 7]))


if __name__ == "__main__":
    main()
