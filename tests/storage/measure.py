"""Measure the store: `python tests/storage/measure.py [COMMITS]` prints commit, scan, query and compaction times."""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

import telemetry
from storage import Move, Snapshot, Store, compact

START = 1_700_000_000_000_000


def logs(first: int, count: int, per_second: int) -> pa.Table:
    """Rows like a web shop's: 40 templates, two services, three parameters."""
    n = np.arange(first, first + count)
    text = [
        f"user {i} added item {i * 7919 % 1000} to the cart in {i % 97} ms for session {i * 31337 % 99991}" for i in n
    ]
    time_us = pa.array(START + n * (1_000_000 // per_second))
    columns = {
        "time": time_us.cast(telemetry.TIME),
        "observed_time": time_us.cast(telemetry.TIME),
        "service": pa.array(np.where(n % 2, "cart", "checkout")),
        "severity_number": pa.array(np.full(count, 9, np.int8)),
        "body": pa.array(text),
        "template_id": pa.array(n % 40),
        "params": pa.array([[str(i), str(i * 7 % 100), str(i % 97)] for i in n]),
        "source": pa.array(["measured"] * count),
        "partition": pa.array(np.zeros(count, np.int32)),
        "offset": pa.array(n),
        "late": pa.array(np.zeros(count, bool)),
    }
    arrays = [columns.get(field.name, pa.nulls(count, field.type)) for field in telemetry.LOGS]
    return pa.table(arrays, schema=telemetry.LOGS)


def report(name: str, seconds: list[float]) -> None:
    print(f"{name:55} median {np.median(seconds) * 1e3:7.1f} ms   p95 {np.quantile(seconds, 0.95) * 1e3:7.1f} ms")


def repeated(name: str, act: Callable[[], object], times: int = 9) -> None:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    report(name, taken)


def main() -> None:
    """Commit 1,000 rows a second of event time, then read them, compact, and read again."""
    commits = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "bulk")
        writer, at = store.writer(), 0
        for size in (5_000, 50_000):
            batches = [logs(at + i * size, size, 1000) for i in range(9)]
            taken = []
            for rows in batches:
                move = Move("app", at, at + size, "measured")
                began = time.perf_counter()
                writer.commit({"logs": rows}, [move])
                taken.append(time.perf_counter() - began)
                at += size
            report(f"commit {size} log rows (logs and ledger)", taken)
        store = Store.open(Path(folder) / "long")
        measure_long(store, commits)


def measure_long(store: Store, commits: int) -> None:
    """Many small commits into one store, and what reading it costs."""
    writer, taken = store.writer(), []
    for i in range(commits):
        rows = logs(i * 1000, 1000, 1000)
        states = [Snapshot("partition:app", i * 1000 + 1000, 1, os.urandom(20_000))] if i % 10 == 9 else []
        began = time.perf_counter()
        writer.commit({"logs": rows}, [Move("app", i * 1000, i * 1000 + 1000, "measured")], states)
        taken.append(time.perf_counter() - began)
        if (i + 1) % 200 == 0:
            report(f"commits up to number {i + 1} (1,000 rows), last 100", taken[-100:])
    repeated("restore in a fresh writer", lambda: store.writer().restore("partition:app"), 3)
    with store.reader() as reader:
        for _ in range(2):
            middle = START + commits // 2 * 1_000_000
            columns = ["time", "service", "template_id", "severity_number"]
            print(f"{next(info.files for info in store.describe())} files, {commits * 1000} rows")
            repeated("scan of one 10 s window", lambda: reader.scan("logs", columns, middle, middle + 10_000_000))  # noqa: B023
            repeated(
                "count by service and template",
                lambda: reader.query("SELECT count(*) FROM logs GROUP BY service, template_id"),
            )
            latest = "SELECT * FROM logs WHERE service = ? ORDER BY time DESC LIMIT 200"
            repeated("latest 200 rows of a service", lambda: reader.query(latest, ["cart"]))  # noqa: B023
            repeated("compact", lambda: compact(store), 1)


if __name__ == "__main__":
    main()
