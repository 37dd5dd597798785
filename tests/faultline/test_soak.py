"""Kills, stops, broker restarts and zombies for as long as asked: nothing is lost, nothing doubled.

make soak SOAK_MINUTES=15 SOAK_WORKERS=4 sends a million lines, four hours of a failing shop, and disturbs its four
workers more than a hundred times. Event time runs SOAK_SPEED times as fast as the clock.
"""

import os
import random
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from contents import tables
from crew import Crew
from soak import Chaos, compare, differences
from soak_input import CHUNK_S, KINDS, Producer, chunks

pytestmark = [pytest.mark.kafka, pytest.mark.soak]
MINUTES = float(os.environ.get("SOAK_MINUTES", "15"))
WORKERS = int(os.environ.get("SOAK_WORKERS", "4"))
RATE = int(os.environ.get("SOAK_RATE", "1200"))
SPEED = float(os.environ.get("SOAK_SPEED", "16"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
PAUSE_S = float(os.environ.get("SOAK_PAUSE", "12"))
KILLS = int(os.environ.get("SOAK_CARELESS_KILLS", "10"))
PARTITIONS = 4
LONG = 3600.0
FOUND = ("anomalies", "incidents", "incident_events", "suspects", "lineage", "dead_letters")
"""Tables that must not be empty, or comparing them would say nothing."""


def new_topics(broker: Any) -> tuple[str, ...]:
    names = tuple(f"{kind}-{uuid.uuid4().hex[:8]}" for kind in KINDS)
    for name in names:
        broker.create_topic(name, partitions=PARTITIONS)
    return names


def producer(broker: Any, topics: tuple[str, ...], minutes: float) -> Producer:
    messages = chunks(round(minutes * 60 * SPEED), round(RATE * CHUNK_S / SPEED), PARTITIONS, SEED)
    return Producer(broker.bootstrap, topics, messages, CHUNK_S / SPEED)


def drain(store: Path, broker: Any, topics: tuple[str, ...]) -> None:
    """Read on to the end with one worker that is left alone."""
    crew = Crew(store, broker.bootstrap, topics, "--once")
    crew.start("last", group="-last")
    crew.finish(seconds=LONG)


def test_nothing_is_lost_or_doubled_and_all_results_are_those_of_a_calm_run(kafka_broker: Any, tmp_path: Path):
    topics, disturbed, calm = new_topics(kafka_broker), tmp_path / "store", tmp_path / "calm"
    crew = Crew(disturbed, kafka_broker.bootstrap, topics)
    chaos = Chaos(crew, [f"worker-{n}" for n in range(WORKERS)], SEED, kafka_broker.restart)
    sending = producer(kafka_broker, topics, MINUTES)
    sending.start()
    try:
        chaos.run(lambda: not sending.is_alive(), PAUSE_S)
        sent = sending.stop()
        time.sleep(15)  # those that stand still go on, and find out
        crew.finish(terminate=True, seconds=LONG)
    finally:
        crew.end()
    drain(disturbed, kafka_broker, topics)
    found = compare(disturbed, sent)
    commits = max(int(file.stem) for file in (disturbed / "logs/_delta_log").glob("*.json"))
    sizes = f"{len(sent.ids['logs']):,} log records, {sent.units:,} records in all"
    print(f"\n{chaos}, {commits} commits of logs; {sizes}; {found}", flush=True)
    assert found.nothing
    drain(calm, kafka_broker, topics)
    assert compare(calm, sent).nothing
    rows = {name: len(table) for name, table in tables(calm).items()}
    differing = differences(disturbed, calm)
    print(f"{rows['incidents']} incident rows; rows of a calm run {rows}; tables that differ: {differing or 'none'}")
    assert not differing
    assert all(rows[name] for name in FOUND)


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_check_finds_positions_committed_apart_from_their_rows(kafka_broker: Any, tmp_path: Path, when: str):
    """The same kills and the same check, with a writer that does it wrong: without this the test above says little."""
    topics, moments = new_topics(kafka_broker), random.Random(SEED)
    program = [sys.executable, str(Path(__file__).with_name("careless.py")), when]
    crew = Crew(tmp_path / "store", kafka_broker.bootstrap, topics, program=program)
    sending = producer(kafka_broker, topics, 60)
    sending.start()
    try:
        for _ in range(KILLS):
            crew.start("one")
            log, before = tmp_path / "store/logs/_delta_log", time.time()
            while not log.is_dir() or max((file.stat().st_mtime for file in log.glob("*.json")), default=0) < before:
                time.sleep(0.02)
            time.sleep(moments.uniform(0.1, 2))
            crew.kill("one")
        sent = sending.stop()
    finally:
        crew.end()
    drain(tmp_path / "store", kafka_broker, topics)
    found = compare(tmp_path / "store", sent)
    print(f"\npositions {when} rows: {len(sent.ids['logs']):,} records; {found}")
    assert (found.lost if when == "before" else found.doubled).total()
