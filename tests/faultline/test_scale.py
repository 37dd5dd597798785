"""Several workers, one consumer group, one set of tables: the results of one worker."""

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from contents import CONTENT, Counting, content
from crew import Crew, wait_for, writers

from simulation import KafkaSink, make_fault, simulate
from storage import Store

pytestmark = pytest.mark.kafka
START = datetime(2026, 1, 5, 8, tzinfo=UTC)


def rows(store: Path) -> int:
    with Store.open(store, create=False).reader() as reader:
        return int(reader.query("SELECT count(*) AS n FROM raw_spans")["n"][0].as_py())


def test_two_workers_one_of_them_killed_store_and_find_what_one_does(kafka_broker: Any, tmp_path: Path):
    topics = tuple(f"{kind}-{uuid.uuid4().hex[:8]}" for kind in ("logs", "metrics", "spans"))
    with KafkaSink(kafka_broker.bootstrap, topics=topics) as sink:
        crew = Crew(tmp_path / "two", kafka_broker.bootstrap, topics)
        crew.start("first", "second")
        wait_for(lambda: writers(tmp_path / "two") == {"first", "second"})  # each has partitions of its own
        counted = Counting(sink)
        fault = make_fault("dependency_down", "high", "orders-db", start=400.0)
        simulate(counted, start=START, seconds=600, seed=6, faults=[fault])
    wait_for(lambda: rows(tmp_path / "two"))
    crew.kill("first")
    crew.start("first")
    wait_for(lambda: rows(tmp_path / "two") == counted.spans)
    crew.finish(terminate=True)
    for store in ("one", "two"):  # the windows that are complete when the input ends
        last = Crew(tmp_path / store, kafka_broker.bootstrap, topics, "--once")
        last.start("last")
        last.finish()
    one, two = content(tmp_path / "one"), content(tmp_path / "two")
    assert (len(one["metrics"]), len(one["spans"])) == (counted.points, counted.spans)
    assert len(one["logs"]) + sum(row["max(joined)"] for row in one["ledger"]) == counted.lines
    assert one["incidents"]
    for name in CONTENT:
        assert two[name] == one[name], name
