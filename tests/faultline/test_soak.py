"""Kills, stops, broker restarts and zombies for as long as asked: nothing is lost, nothing doubled.

make soak SOAK_MINUTES=60 SOAK_WORKERS=4 SOAK_RATE=5000
"""

import os
import random
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from crew import Crew
from soak import TOPICS, Chaos, Producer, compare, derived

pytestmark = [pytest.mark.kafka, pytest.mark.soak]
MINUTES = float(os.environ.get("SOAK_MINUTES", "10"))
WORKERS = int(os.environ.get("SOAK_WORKERS", "3"))
RATE = int(os.environ.get("SOAK_RATE", "2000"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
PAUSE_S = float(os.environ.get("SOAK_PAUSE", "6"))
PARTITIONS = 4
LONG = 3600.0


def new_topics(broker: Any) -> tuple[str, ...]:
    names = tuple(f"{topic}-{uuid.uuid4().hex[:8]}" for topic in TOPICS)
    for name in names:
        broker.create_topic(name, partitions=PARTITIONS)
    return names


def drain(store: Path, broker: Any, topics: tuple[str, ...]) -> None:
    """Read on to the end with one worker that is left alone."""
    crew = Crew(store, broker.bootstrap, topics, "--once")
    crew.start("last", group="-last")
    crew.finish(seconds=LONG)


def test_nothing_is_lost_or_doubled_and_all_results_are_those_of_an_undisturbed_run(kafka_broker: Any, tmp_path: Path):
    topics = new_topics(kafka_broker)
    crew = Crew(tmp_path / "store", kafka_broker.bootstrap, topics)
    chaos = Chaos(crew, [f"worker-{n}" for n in range(WORKERS)], SEED, kafka_broker.restart)
    producer = Producer(kafka_broker.bootstrap, topics, PARTITIONS, RATE)
    deadline = time.monotonic() + MINUTES * 60
    producer.start()
    try:
        chaos.run(lambda: time.monotonic() >= deadline, PAUSE_S)
        producer.stop()
        time.sleep(15)  # those that stand still go on, and find out
        print(f"\n{dict(chaos.done)}", flush=True)
        crew.finish(terminate=True, seconds=LONG)
    finally:
        crew.end()
    drain(tmp_path / "store", kafka_broker, topics)
    found = compare(tmp_path / "store", producer.lines)
    print(f"\n{producer.lines:,} lines; {dict(chaos.done)}; lost {found.lost}; doubled {found.doubled}")
    assert found.nothing
    drain(tmp_path / "calm", kafka_broker, topics)
    assert compare(tmp_path / "calm", producer.lines).nothing
    disturbed, calm = derived(tmp_path / "store"), derived(tmp_path / "calm")
    for name in disturbed:
        assert disturbed[name].equals(calm[name]), name


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_check_finds_positions_committed_apart_from_their_rows(kafka_broker: Any, tmp_path: Path, when: str):
    """The same kills and the same check, with a writer that does it wrong: without this the test above says little."""
    topics, moments = new_topics(kafka_broker), random.Random(SEED)
    program = [sys.executable, str(Path(__file__).with_name("careless.py")), when]
    crew = Crew(tmp_path / "store", kafka_broker.bootstrap, topics, program=program)
    producer = Producer(kafka_broker.bootstrap, topics, PARTITIONS, RATE)
    producer.start()
    try:
        for _ in range(int(os.environ.get("SOAK_CARELESS_KILLS", "10"))):
            crew.start("one")
            log, before = tmp_path / "store/logs/_delta_log", time.time()
            while not log.is_dir() or max((file.stat().st_mtime for file in log.glob("*.json")), default=0) < before:
                time.sleep(0.02)
            time.sleep(moments.uniform(0.1, 2))
            crew.kill("one")
        producer.stop()
    finally:
        crew.end()
    drain(tmp_path / "store", kafka_broker, topics)
    found = compare(tmp_path / "store", producer.lines)
    print(f"\npositions {when} rows: {producer.lines:,} lines; lost {found.lost}; doubled {found.doubled}")
    assert any((found.lost if when == "before" else found.doubled).values())
