"""Event time: what is late depends on the order of a partition's rows alone."""

from datetime import UTC, datetime
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.worker import Counts, EventClock, PartitionWorker
from parsing import Parser, Redactor
from telemetry import LINES, LOGS, Batch, Partition

S = 1_000_000
PARTITION = Partition("file:1", "shop.log", 0)


def lines(texts: list[str], first: int) -> pa.Table:
    known = {
        "observed_time": 1_770_000_000 * S,
        "service": "shop",
        "source": "shop.log",
        "partition": 0,
        "structured": False,
    }
    rows = [{**known, "body": text, "offset": first + n, "line": first + n + 1} for n, text in enumerate(texts)]
    return pa.Table.from_pylist(rows, LINES)


def test_a_row_is_late_when_too_far_behind_the_newest_confirmed_time():
    clock = EventClock(lateness_us=5 * S)
    late = clock.late(np.array([100, 101, 102, 95, 96, 90]) * S)
    assert late.tolist() == [False, False, False, True, False, True]
    assert clock.watermark == 96 * S


def test_one_stray_future_time_moves_nothing_and_two_in_a_row_do():
    clock = EventClock(lateness_us=5 * S)
    assert not clock.late(np.array([100, 101, 10_000, 102, 103]) * S).any()
    assert clock.watermark == (102 - 5) * S
    clock.late(np.array([10_000, 10_001]) * S)
    assert clock.watermark == (10_000 - 5) * S


def test_an_idle_partition_lets_time_pass():
    clock = EventClock(lateness_us=5 * S)
    clock.late(np.array([100, 101]) * S)
    clock.advance(200 * S)
    assert clock.watermark == 200 * S
    assert clock.late(np.array([199 * S, 200 * S])).tolist() == [True, False]


@given(st.lists(st.integers(0, 10**9)), st.lists(st.integers(0, 40)))
def test_lateness_does_not_depend_on_batches(times: list[int], cuts: list[int]):
    whole, parts = EventClock(1000), EventClock(1000)
    expected = whole.late(np.array(times, dtype=np.int64)).tolist()
    pieces = np.split(np.array(times, dtype=np.int64), sorted(min(cut, len(times)) for cut in cuts))
    assert [flag for piece in pieces for flag in parts.late(piece).tolist()] == expected
    assert parts == whole


@pytest.mark.parametrize("size", [3, 7, 1000])
def test_a_rule_is_dated_by_its_record_whatever_the_batches(size: int):
    """Dated later, it would change the counts of a while after the fact, as long as the batch happened to be."""
    words = ["ann", "bob", "joe", "eve", "sue", "tim"]
    texts = [f"2026-01-05T08:{n // 60:02d}:{n % 60:02d}Z INFO login of {words[n // 40]} is fine" for n in range(240)]
    worker = PartitionWorker(PARTITION, Parser(), 5 * S)
    rules, times = [], {}
    for at in range(0, len(texts), size):
        piece = texts[at : at + size]
        batch = Batch(
            PARTITION, at, at + len(piece), len(piece), lines=lines(piece, at), closed=at + size >= len(texts)
        )
        rows = worker.process(batch)
        rules += rows["lineage"].to_pylist() if "lineage" in rows else []
        times |= {row["offset"]: row["time"] for row in rows["logs"].to_pylist()} if "logs" in rows else {}
    assert len(times) == len(texts)
    assert rules
    assert all(rule["time"] == times[rule["offset"]] for rule in rules)


def test_a_blank_line_behind_a_record_that_is_held_back_is_counted_when_the_record_is():
    """Else one read again from the position of the record would count twice."""
    worker = PartitionWorker(PARTITION, Parser(), 5 * S)
    first = lines(["2026-01-05T08:00:00Z INFO up", "2026-01-05T08:00:01Z INFO still up"], 0)
    worker.process(Batch(PARTITION, 0, 3, 3, 1, lines=first, filtered_at=pa.array([2], pa.int64())))
    assert worker.position == 1
    assert worker.counts == Counts(read=1, stored=1)
    worker.release()
    assert worker.position == 3
    assert worker.counts == Counts(read=3, stored=2, filtered=1)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_record_ahead_of_the_clock_is_kept_at_the_time_it_was_seen_and_moves_nothing(size: int):
    """Seen at 02:40:00; a year too late are two in a row, as one alone would confirm nothing anyway."""
    seen = datetime.fromtimestamp(1_770_000_000, UTC)
    times = ["02:39:01", "02:39:02", "02:39:03", "02:39:04", "02:39:05"]
    texts = [f"2026-02-02T{time}Z INFO added {n}" for n, time in enumerate(times)]
    texts[2:2] = ["2027-02-02T02:39:02Z INFO added 7", "2027-02-02T02:39:03Z INFO added 8", "  and more"]
    worker, rows = PartitionWorker(PARTITION, Parser(), 5 * S), []
    for at in range(0, len(texts), size):
        piece = texts[at : at + size]
        batch = Batch(
            PARTITION, at, at + len(piece), len(piece), lines=lines(piece, at), closed=at + size >= len(texts)
        )
        rows += worker.process(batch).get("logs", LOGS.empty_table()).to_pylist()
    assert [row["late"] for row in rows] == [False, False, True, True, False, False, False]
    assert {row["time"] for row in rows if row["late"]} == {seen}
    assert dict(rows[2]["attributes"])["faultline.stated_time"] == "2027-02-02T02:39:02+00:00"
    assert (worker.counts.stored, worker.counts.late, worker.counts.ahead, worker.counts.joined) == (7, 2, 2, 1)
    assert worker.watermark == round(datetime(2026, 2, 2, 2, 38, 59, tzinfo=UTC).timestamp() * S)


def test_a_file_read_whole_knows_no_times_after_its_last_change():
    """Not after its date, which archives set at will; whenever it is read, the same is decided."""
    whole = Partition("file:1", "shop.log", 0, written_us=1_780_000_000 * S)
    texts = [
        "2026-05-28T20:26:41Z INFO added 1",
        "2026-05-28T20:36:39Z INFO added 2",
        "2026-05-28T20:36:41Z INFO added 3",
    ]
    worker = PartitionWorker(whole, Parser(), 5 * S)
    rows = worker.process(Batch(whole, 0, 3, 3, lines=lines(texts, 0), closed=True))["logs"].to_pylist()
    assert [row["late"] for row in rows] == [False, False, True]


def test_totals_balance():
    assert Counts(read=10, stored=6, joined=1, dead_lettered=2, filtered=1).balanced
    assert not (Counts(read=10, stored=6) + Counts(read=1)).balanced


def test_redactions_are_counted_once_wherever_a_worker_is_taken_over():
    random = Random(2)
    key = ["".join(random.choices("abcdefghABCDEFGH0123456789+/", k=64)) for _ in range(3)]
    key = ["-----BEGIN PRIVATE" + " KEY-----", *key, "-----END PRIVATE" + " KEY-----"]
    texts = ["2026-01-05 08:00:00 INFO a - hi bob@example.com", "  at password=hunter2", *key]
    texts += ["2026-01-05 08:00:01 INFO a - Done", "2026-01-05 08:00:02 INFO a - mail x@example.com and y@example.org"]
    whole = _worker()
    rows = whole.process(_batch(texts, 0, len(texts), closed=True))
    assert whole.redacted == {"email": 3, "password": 1, "private_key": 5}
    for first in range(1, len(texts)):
        before = _worker()
        early = before.process(_batch(texts[:first], 0, first, closed=False))
        after = PartitionWorker.restore(
            PARTITION, before.position, before.snapshot(), 5 * S, Parser.restore, redactor=Redactor()
        )
        late = after.process(_batch(texts[after.position :], after.position, len(texts), closed=True))
        assert after.redacted == whole.redacted
        bodies = [body for part in (early, late) if "logs" in part for body in part["logs"]["body"].to_pylist()]
        assert bodies == rows["logs"]["body"].to_pylist()


def _worker() -> PartitionWorker:
    return PartitionWorker(PARTITION, Parser(), 5 * S, redactor=Redactor())


def _batch(texts: list[str], start: int, end: int, closed: bool) -> Batch:
    return Batch(PARTITION, start, end, len(texts), lines=lines(texts, start), closed=closed)
