"""Several workers, one consumer group, one set of tables: the results of one worker."""

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from contents import CONTENT, Counting, content
from crew import Crew, wait_for, writers

from simulation import KafkaSink, make_fault, simulate

pytestmark = pytest.mark.kafka
START = datetime(2026, 1, 5, 8, tzinfo=UTC)


def test_two_workers_one_of_them_killed_store_and_find_what_one_does(kafka_broker: Any, tmp_path: Path):
    topics = tuple(f"{kind}-{uuid.uuid4().hex[:8]}" for kind in ("logs", "metrics", "spans"))
    with KafkaSink(kafka_broker.bootstrap, topics=topics) as sink:
        counted = Counting(sink)
        fault = make_fault("dependency_down", "high", "orders-db", start=400.0)
        simulate(counted, start=START, seconds=600, seed=6, faults=[fault])
    alone = Crew(tmp_path / "one", kafka_broker.bootstrap, topics, "--once")
    alone.start("only")
    alone.finish()
    crew = Crew(tmp_path / "two", kafka_broker.bootstrap, topics, "--once")
    crew.start("first", "second")
    wait_for(lambda: writers(tmp_path / "two"))
    victim = next(iter(writers(tmp_path / "two")))
    crew.kill(victim)
    crew.start(victim)
    crew.finish()
    one, two = content(tmp_path / "one"), content(tmp_path / "two")
    assert (len(one["metrics"]), len(one["spans"])) == (counted.points, counted.spans)
    assert len(one["logs"]) + sum(row["max(joined)"] for row in one["ledger"]) == counted.lines
    assert one["incidents"]
    for name in CONTENT:
        assert two[name] == one[name], name
    assert writers(tmp_path / "two") == {"first", "second"}
