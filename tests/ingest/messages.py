"""Messages as Kafka's client hands them on, and what becomes of them, without a broker."""

from dataclasses import dataclass, field

from source_contract import check_batches

from ingest._fields import DEFAULT
from ingest._messages import Topic, batches
from ingest._received import Messages
from telemetry import Partition

NOW = 1_780_000_000
"""Seconds: the clock of these tests."""


@dataclass
class Message:
    value: bytes | None
    offset: int = 0
    key: bytes | None = None
    headers: list = field(default_factory=list)
    timestamp: int = NOW * 1000


def decoded(*values, topic="stuff", format="auto", key=None, headers=(), names=DEFAULT):
    """Decode messages of one topic; check what every batch must be; return the batches."""
    found = Topic(Partition("kafka:x:0", f"kafka:{topic}"), topic, lambda: NOW, format, names)
    records = [Message(value, offset, key, list(headers)) for offset, value in enumerate(values, 10)]
    out = list(batches(found, Messages.of(records), 10))
    check_batches(out)
    assert out[-1].next == 10 + len(values)
    return out
