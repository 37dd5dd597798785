"""Event time: what is late depends on the order of a partition's rows alone."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.worker import Counts, EventClock, PartitionWorker
from parsing import Parser
from telemetry import LINES, Batch, Partition

S = 1_000_000
PARTITION = Partition("file:1", "shop.log", 0)


def lines(texts: list[str], first: int) -> pa.Table:
    known = {"observed_time": 0, "service": "shop", "source": "shop.log", "partition": 0, "structured": False}
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


def test_totals_balance():
    assert Counts(read=10, stored=6, joined=1, dead_lettered=2, filtered=1).balanced
    assert not (Counts(read=10, stored=6) + Counts(read=1)).balanced
