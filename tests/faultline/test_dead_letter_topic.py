"""A copy of each dead letter is on the topic before the tables move on."""

import contextlib
import threading
import time
import uuid
from pathlib import Path

import pytest

from faultline.pipeline import run_pipeline
from faultline.settings import Kafka, Settings
from ingest import FilesSource
from storage import Store
from telemetry import SourceError, StoreError

BROKEN = '{"time":"2026-01-05T08:00:00Z","mail":"bob@example.com","mess%d\n'
GOOD = '{"time":"2026-01-05T08:00:%02dZ","service":"web","message":"paid %d"}\n'


def run(folder: Path, settings: Settings) -> None:
    run_pipeline(FilesSource([folder / "in"], once=True), Store.open(folder / "s"), settings, once=True, stop=stop())


def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    text = "".join(GOOD % (n, n) + BROKEN % n for n in range(3))
    (tmp_path / "in/web.jsonl").write_text(text)
    return tmp_path


def messages(bootstrap: str, topic: str, count: int) -> list:
    from kafka import KafkaConsumer

    found: list = []
    options = {"bootstrap_servers": bootstrap, "auto_offset_reset": "earliest", "group_id": None}
    with contextlib.closing(KafkaConsumer(topic, **options)) as consumer:
        deadline = time.monotonic() + 60
        while len(found) < count and time.monotonic() < deadline:
            found += [message for some in consumer.poll(timeout_ms=500).values() for message in some]
    return found


@pytest.mark.kafka
def test_every_letter_is_on_the_topic_redacted_and_a_crash_before_the_commit_loses_none(
    kafka_broker, folder: Path, monkeypatch
):
    topic = f"dead-{uuid.uuid4().hex[:8]}"
    kafka_broker.create_topic(topic)
    settings = Settings(kafka=Kafka(bootstrap=(kafka_broker.bootstrap,), dead_letter_topic=topic))

    def failing(*_: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("storage._writer.Writer._commit_table", failing)
        with pytest.raises(StoreError):
            run(folder, settings)
    run(folder, settings)
    run(folder, settings)
    with Store.open(folder / "s").reader() as reader:
        stored = reader.query("select id, raw from dead_letters").to_pylist()
    found = messages(kafka_broker.bootstrap, topic, 3)
    assert len(stored) == 3
    assert {message.key.decode() for message in found} == {row["id"] for row in stored}
    assert {message.value for message in found} == {row["raw"] for row in stored}
    assert all(b"<redacted:email>" in message.value for message in found)
    headers = dict(found[0].headers)
    assert (headers["reason"], headers["units"], headers["partition"]) == (b"bad_json", b"1", b"0")


def test_a_topic_that_cannot_be_written_is_one_line(folder: Path, monkeypatch):
    monkeypatch.setattr("ingest._outlet._CONNECT_MS", 500)
    with pytest.raises(SourceError, match=r"cannot write to the dead-letter topic dead at 127\.0\.0\.1:1: ") as caught:
        run(folder, Settings(kafka=Kafka(bootstrap=("127.0.0.1:1",), dead_letter_topic="dead")))
    assert "\n" not in str(caught.value)
