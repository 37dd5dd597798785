"""Topics written and read plainly, for measurements."""

import re
from pathlib import Path

import pytest

from ingest import _topics, fill_topic, read_topic
from telemetry import SourceError

MESSAGES = [(f"service {i % 3}", f"line {i}\nsecond line") for i in range(500)]


@pytest.mark.kafka
def test_what_is_written_is_read(kafka_broker, monkeypatch: pytest.MonkeyPatch):
    fill_topic(kafka_broker.bootstrap, "plain", MESSAGES, partitions=3)
    polled, found = read_topic(kafka_broker.bootstrap, "plain"), []
    while len(found) < len(MESSAGES):
        found += next(polled)
    assert sorted(found) == sorted((key.encode(), text.encode()) for key, text in MESSAGES)
    mine = [text.encode() for key, text in MESSAGES if key == "service 1"]
    assert [text for key, text in found if key == b"service 1"] == mine  # in order within a key
    monkeypatch.setattr(_topics, "_WAIT_MS", 500)
    with pytest.raises(SourceError, match=r"topic plain at .*: nothing more came"):
        next(polled)
    with pytest.raises(SourceError, match="cannot write to Kafka"):
        fill_topic(kafka_broker.bootstrap, "plain", MESSAGES)  # it is there already


@pytest.mark.kafka
def test_a_message_that_is_refused_is_an_error(kafka_broker):
    with pytest.raises(SourceError, match="cannot write to Kafka"):
        fill_topic(kafka_broker.bootstrap, "refused", [("a", "short"), ("a", "x" * (2 << 20))])


def test_no_broker_is_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_topics, "_CONNECT_MS", 300)
    with pytest.raises(SourceError, match="want a running broker"):
        fill_topic("127.0.0.1:1", "t", MESSAGES)
    with pytest.raises(SourceError, match="want a running broker"):
        read_topic("127.0.0.1:1", "t")


def test_no_other_room_loads_a_kafka_client_behind_the_linter():
    """import-linter sees import statements only."""
    root = Path(__file__).parents[2]
    rooms = [
        path.parent for path in root.glob("*/__init__.py") if path.parent.name not in ("ingest", "simulation", "tests")
    ]
    assert len(rooms) >= 8
    hidden = re.compile(r"""(import_module|__import__)\(\s*["'](kafka|confluent_kafka)""")
    found = [str(path) for room in rooms for path in room.rglob("*.py") if hidden.search(path.read_text("utf-8"))]
    assert found == []
