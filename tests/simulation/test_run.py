import json
from datetime import UTC, datetime, timedelta

import pytest

from simulation import FilesSink, KafkaSink, demo, make_fault, simulate
from telemetry import SourceError

START = datetime(2026, 1, 5, 14, tzinfo=UTC)


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_files_are_laid_out_by_service_with_the_truth_apart(tmp_path):
    with FilesSink(tmp_path) as sink:
        truth = simulate(
            sink,
            start=START,
            seconds=60,
            faults=[make_fault("cpu_hog", "low", "cart", 10), make_fault("cpu_hog", "low", "cart", 90)],
        )
    found = files(tmp_path)
    assert {"logs/gateway.log", "logs/cart.log", "metrics.jsonl", "spans.jsonl", "truth/faults.json"} <= set(found)
    assert json.loads(found["truth/faults.json"]) == truth
    assert [fault["start"] for fault in truth] == ["2026-01-05T14:00:10Z"]
    assert all(content.endswith(b"\n") for content in found.values())


def test_pace_and_back_fill_do_not_change_a_byte(tmp_path):
    for name, pace in (("fast", {}), ("paced", {"speed": 600.0}), ("filled", {"speed": 3.0, "backfill": 118})):
        with FilesSink(tmp_path / name) as sink:
            simulate(sink, start=START, seconds=120, seed=3, **pace)
    assert files(tmp_path / "fast") == files(tmp_path / "paced") == files(tmp_path / "filled")


def test_a_demo_back_fills_then_says_so_and_goes_on(tmp_path):
    seen = []
    with FilesSink(tmp_path) as sink:
        truth = demo(
            sink,
            live_start=START,
            seconds=20,
            seed=4,
            speed=1000.0,
            on_live=lambda: seen.append(files(tmp_path)["metrics.jsonl"].count(b"\n")),
        )
    assert seen == [7200 // 5 * 18]
    assert len(truth) == 1
    begin = datetime.fromisoformat(truth[0]["start"])
    assert timedelta(seconds=5) <= begin - START <= timedelta(seconds=15)


def test_it_stops_when_asked(tmp_path):
    calls = iter([False, False, True])
    with FilesSink(tmp_path) as sink:
        simulate(sink, start=START, stop=lambda: next(calls, True))
    assert files(tmp_path)["metrics.jsonl"].count(b"\n") == 2 * 18


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="choose a folder with --out"):
        FilesSink(tmp_path / "file" / "out")


@pytest.mark.kafka
def test_kafka_gets_what_files_get(tmp_path, kafka_broker):
    from kafka import KafkaConsumer

    topics = ("sim-logs", "sim-metrics", "sim-spans")
    with FilesSink(tmp_path) as sink:
        simulate(sink, start=START, seconds=30, seed=5)
    with KafkaSink(kafka_broker.bootstrap, topics, partitions=2) as sink:
        simulate(sink, start=START, seconds=30, seed=5)
    consumer = KafkaConsumer(
        *topics, bootstrap_servers=kafka_broker.bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=5000
    )
    found: dict[str, list[str]] = {}
    for message in consumer:
        name = f"logs/{message.key.decode()}.log" if message.key else f"{message.topic.removeprefix('sim-')}.jsonl"
        found.setdefault(name, []).append(message.value.decode())
    consumer.close()
    assert all(value.count("\n") < 400 for values in found.values() for value in values)
    written = {
        name: sorted(content.decode().splitlines())
        for name, content in files(tmp_path).items()
        if not name.startswith("truth")
    }
    assert {name: sorted("\n".join(values).splitlines()) for name, values in found.items()} == written
