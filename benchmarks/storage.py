"""Measure the store: `python -m benchmarks.storage FOLDER [--rows N]`.

It writes a day of logs of a shop (40 services, 2,000 templates, bodies of about 150 characters) through the writer,
compacts it, and times what the dashboard asks. Nothing is kept in memory, and what is in FOLDER is used again.
"""

# ruff: noqa: S608 - the SQL is put together from constants

import argparse
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import telemetry
from faultline.sums import log_counts
from storage import LogFilter, Move, Reader, Retention, Store, compact, maintain

DAY_US = 86_400_000_000
START = 1_790_000_000_000_000 // DAY_US * DAY_US
SERVICES, TEMPLATES, BATCH = 40, 2000, 200_000
_TEXT = (
    "accepted added cache cart checkout client closed connection created database deadline delivered discount "
    "error failed fetched from gateway handler inventory item latency message order payload payment pool price "
    "queue received refund region request response retry returned sent server session shard shipping slow "
    "stock timeout token updated upstream user validated version warehouse with worker"
)
_WORDS = _TEXT.split()


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _take(values: pa.Array, indices: Any) -> pa.Array:
    return values.take(pa.array(indices))


class Shop:
    """Makes log rows: row n depends on n alone."""

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        words = np.array(_WORDS)

        def run(n: int) -> list[str]:
            return [" ".join(words[row]) for row in rng.integers(0, len(words), (TEMPLATES, n))]

        self._parts = [pa.array([f"{text}{end}" for text in run(n)]) for n, end in ((5, " id="), (4, " in "), (5, ""))]
        self._between = pa.array([f" {text} host " for text in run(3)])
        self._ids = rng.integers(1, 2**62, TEMPLATES)
        self._services = pa.array([f"service-{n:02d}" for n in range(SERVICES)])
        self._components = pa.array([f"com.shop.Handler{n:03d}" for n in range(200)])
        self._hosts = pa.array([f"10.{n // 256}.{n % 256}.{n * 7 % 250}" for n in range(1000)])
        weights = 1 / np.arange(1, TEMPLATES + 1)
        self._share = np.cumsum(weights / weights.sum())

    def template(self, n: int) -> tuple[str, int]:
        """Return a template's text and id."""
        first, second, third = (part[n].as_py() for part in self._parts)
        return f"{first}<*>{self._between[n].as_py()}<*> {second}<*> ms {third}", int(self._ids[n])

    def rows(self, first: int, count: int, per_day: int) -> pa.Table:
        """Return the rows [first, first + count) of a day of `per_day`."""
        rng = np.random.default_rng(first)
        which = np.searchsorted(self._share, rng.random(count))
        number = pa.array(rng.integers(10**9, 10**10, count)).cast(pa.string())
        host, took = (
            _take(self._hosts, rng.integers(0, 1000, count)),
            pa.array(np.exp(rng.normal(3, 1, count)).astype(int)).cast(pa.string()),
        )
        one, two, three = (_take(part, which) for part in self._parts)
        pieces = [one, number, _take(self._between, which), host, pa.scalar(" "), two, took, pa.scalar(" ms "), three]
        values = pa.chunked_array([number, host, took]).combine_chunks()
        order = np.arange(count * 3).reshape(3, count).T.ravel()
        at = pa.array(START + (np.arange(first, first + count) * (DAY_US / per_day)).astype(np.int64))
        times = at.cast(telemetry.TIME)
        columns = {
            "time": times,
            "observed_time": pc.add(at, 700_000).cast(telemetry.TIME),
            "service": _take(self._services, which % SERVICES),
            "component": _take(self._components, which % 200),
            "severity_number": pa.array(np.where(which % 50 == 7, 17, 9).astype(np.int8)),
            "severity_text": pa.array(np.where(which % 50 == 7, "ERROR", "INFO")),
            "body": pc.binary_join_element_wise(*pieces, ""),
            "template_id": pa.array(self._ids[which]),
            "params": pa.ListArray.from_arrays(
                pa.array(np.arange(count + 1, dtype=np.int32) * 3), _take(values, order)
            ),
            "source": pa.repeat("logs", count),
            "partition": pa.array(np.zeros(count, np.int32)),
            "offset": pa.array(np.arange(first, first + count)),
            "line": pa.repeat(pa.scalar(1, pa.int64()), count),
            "late": pa.repeat(False, count),
        }
        arrays = [columns.get(field.name, pa.nulls(count, field.type)) for field in telemetry.LOGS]
        return pa.table(arrays, schema=telemetry.LOGS)


def fill(store: Store, shop: Shop, rows: int) -> None:
    """Write the day, from where the store ends."""
    writer = store.writer()
    at = writer.position("logs", "bench") or 0
    writer.restore("bench")
    texts = [shop.template(n) for n in range(TEMPLATES)]
    began = time.perf_counter()
    while at < rows:
        logs = shop.rows(at, min(BATCH, rows - at), rows)
        tables = {"logs": logs, "log_counts": log_counts(logs)}
        if at == 0:
            tables["templates"] = _definitions(texts)
        writer.commit(tables, [Move("bench", at, at + len(logs), "logs")])
        at += len(logs)
        if at // BATCH % 25 == 0:
            say(f"{at:,} rows after {time.perf_counter() - began:.0f} s")
            maintain(store, Retention(None), False, threading.Event())


def _definitions(texts: list[tuple[str, int]]) -> pa.Table:
    rows = [
        {"template_id": template_id, "service": f"service-{n % SERVICES:02d}", "template": text, "example": text}
        | {"first_seen": START, "last_seen": START + DAY_US, "count": 1, "source": "logs", "partition": 0, "offset": 0}
        for n, (text, template_id) in enumerate(texts)
    ]
    return pa.Table.from_pylist(rows, telemetry.TEMPLATES)


_WITHIN = "{0} >= make_timestamptz(?::BIGINT) AND {0} < make_timestamptz(?::BIGINT)"
CHART = f"""
        SELECT epoch_us(minute) // ? * ? // 1000 AS t,
               sum(count) FILTER (coalesce(severity_number, 0) < 13)::BIGINT AS info,
               sum(count) FILTER (severity_number BETWEEN 13 AND 16)::BIGINT AS warn,
               sum(count) FILTER (severity_number >= 17)::BIGINT AS error
        FROM log_counts WHERE {_WITHIN.format("minute")} GROUP BY 1 ORDER BY 1 LIMIT 2000
        """
"""The overview's chart, as the dashboard asks for it."""
TEMPLATES_OF = f"""
        WITH counted AS (
            SELECT template_id, service, max(severity_number) AS severity_number, sum(count)::BIGINT AS count
            FROM log_counts WHERE {_WITHIN.format("minute")} GROUP BY 1, 2)
        SELECT lpad(lower(to_hex(template_id)), 16, '0') AS template_id, service, severity_number, counted.count,
               templates.count::BIGINT AS total, template, example, first_seen, last_seen
        FROM counted JOIN templates USING (template_id, service)
        WHERE (? IS NULL OR service = ?) AND coalesce(severity_number, 0) >= ?
            AND contains(lower(template), lower(?))
        ORDER BY counted.count DESC, service, template LIMIT ?
        """
"""The logs page's table of templates with their counts, as the dashboard asks for it."""
RECORD = ["time", "service", "severity_number", "severity_text", "body", "component", "params", "trace_id"]
RECORD += ["template_id", "source", "offset"]
"""Columns of the logs page's records."""
Question = Callable[[Reader], object]


def questions() -> Iterator[tuple[str, Question]]:
    """Yield what is asked: its name and bound, and a function that asks a reader."""
    end = START + DAY_US
    hour = [end - 3_600_000_000, end]
    count = f"SELECT service, template_id, count(*) AS n FROM logs WHERE {_WITHIN.format('time')} GROUP BY ALL"
    yield "last-hour counts by service and template, from rows (< 200 ms)", lambda reader: reader.query(count, hour)
    listed = [*hour, None, None, 0, "", 500]
    yield "the same from per-minute counts, with texts", lambda reader: reader.query(TEMPLATES_OF, listed)
    yield (
        "latest 200 rows of a service (< 50 ms)",
        lambda reader: reader.latest(RECORD, START, end, 200, LogFilter(service="service-07")),
    )
    yield "template search in the last hour, to 200 rows (< 50 ms)", lambda reader: _search(reader, *hour)
    day = [60_000_000 * 6, 60_000_000 * 6, START, end]
    yield "whole-day chart by severity, from counts (< 300 ms)", lambda reader: reader.query(CHART, day)
    sums = f"SELECT minute, service, sum(count) AS n FROM log_counts WHERE {_WITHIN.format('minute')} GROUP BY ALL"
    yield "the same by minute and service (< 300 ms)", lambda reader: reader.query(sums, [START, end])


def _search(reader: Reader, since_us: int, until_us: int) -> pa.Table:
    sql = "SELECT DISTINCT template_id FROM templates WHERE contains(lower(template), lower(?))"
    found = reader.query(sql, ["deadline delivered"])["template_id"].to_pylist()
    return reader.latest(RECORD, since_us, until_us, 200, LogFilter(templates=tuple(found)))


def ask(store: Store) -> None:
    """Time each question: the first time, and the median and worst of ten more."""
    for name, question in questions():
        with store.reader(memory_limit="2GiB", timeout_s=120) as reader:
            times = list(_times(reader, question, 11))
        again = times[1:]
        say(f"{name}: first {times[0]:.0f} ms, then median {statistics.median(again):.0f}, worst {max(again):.0f}")


def _times(reader: Reader, question: Question, count: int) -> Iterator[float]:
    for _ in range(count):
        began = time.perf_counter()
        question(reader)
        yield (time.perf_counter() - began) * 1e3


def _timed(name: str, act: Callable[[], object]) -> None:
    began = time.perf_counter()
    act()
    say(f"{name}: {time.perf_counter() - began:.0f} s")


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storage", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the day")
    given = parser.parse_args()
    shop = Shop()
    say(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    day = Store.open(given.folder / f"day-{given.rows}")
    fill(day, shop, given.rows)
    _timed("compaction", lambda: compact(day))
    logs = next(info for info in day.describe() if info.table == "logs")
    say(f"{logs.rows:,} rows in {logs.files} files, {logs.bytes / logs.rows:.1f} bytes a row with the body")
    ask(day)


if __name__ == "__main__":
    main()
