"""Kafka messages to batches: one or many newline-separated records a message, of one service."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ingest._decode import Stream, decode
from ingest._json import Envelope
from ingest._tables import DeadLetters
from ingest._text import split_lines
from telemetry import Batch, Partition

MAX_MESSAGE = 8 * 1024 * 1024
"""A larger message (after decompression) is rejected whole."""
_LINES, _BYTES = 8192, 4 * 1024 * 1024
_SHARED_TOPICS = ("logs", "metrics", "spans")
_DATA_TOPICS = ("metric", "span", "trace")
_MAX_SERVICE = 200


def batches(
    partition: Partition, topic: str, records: Sequence[Any], start: int, clock: Callable[[], float], latest_us: int
) -> Iterator[Batch]:
    """Yield the batches of consecutive messages (kafka-python's records) that follow position `start`."""
    run: list[Any] = []
    kind, lines, size = Stream.RAW, 0, 0
    for record in records:
        value = record.value or b""
        if len(value) > MAX_MESSAGE:
            if run:
                yield (batch := _decode(partition, topic, run, start, kind, clock, latest_us))
                start = batch.next
            yield (batch := _too_long(partition, record, start, clock))
            start, run, lines, size = batch.next, [], 0, 0
            continue
        found = _stream(topic, value)
        if run and (found is not kind or lines >= _LINES or size + len(value) > _BYTES):
            yield (batch := _decode(partition, topic, run, start, kind, clock, latest_us))
            start, run, lines, size = batch.next, [], 0, 0
        kind = found
        run.append(record)
        lines += value.count(b"\n") + 1
        size += len(value)
    if run:
        yield _decode(partition, topic, run, start, kind, clock, latest_us)


def _stream(topic: str, value: bytes) -> Stream:
    """Tell a message by its topic and first bytes, so that the answer does not depend on other messages."""
    if any(word in topic.lower() for word in _DATA_TOPICS):
        return Stream.DATA
    return Stream.LOGS if value.lstrip().startswith((b'{"', b"{ ", b"{}", b"[{", b"[[")) else Stream.RAW


def _decode(
    partition: Partition,
    topic: str,
    records: Sequence[Any],
    start: int,
    stream: Stream,
    clock: Callable[[], float],
    latest_us: int,
) -> Batch:
    values = [(record.value or b"").removesuffix(b"\n") for record in records]
    counts = np.array([value.count(b"\n") + 1 for value in values])
    lines = split_lines(b"\n".join(values))
    firsts = np.repeat(np.cumsum(counts) - counts, counts)
    services = pa.array([_service(record, topic) for record in records], pa.string())
    stamps = [record.timestamp * 1000 if record.timestamp > 0 else round(clock() * 1e6) for record in records]
    envelope = Envelope(
        partition,
        np.repeat(np.array([record.offset for record in records], np.int64), counts),
        np.arange(1, len(firsts) + 1) - firsts,
        services.take(pa.array(np.repeat(np.arange(len(records)), counts))),
        np.repeat(np.array(stamps, np.int64), counts),
        lines.notes,
        latest_us,
    )
    return decode(lines.text, envelope, stream).batch(envelope, start, records[-1].offset + 1)


def _service(record: Any, topic: str) -> str | None:
    """Return the `service` header, else the key, else the topic where it is not one all services share."""
    named = next((value for key, value in record.headers if key == "service"), None) or record.key
    if named:
        return str(named.decode("utf-8", "replace"))[:_MAX_SERVICE]
    return None if topic in _SHARED_TOPICS else topic


def _too_long(partition: Partition, record: Any, start: int, clock: Callable[[], float]) -> Batch:
    letters = DeadLetters(partition, round(clock() * 1e6))
    detail = f"a message of {len(record.value)} bytes, want at most {MAX_MESSAGE}"
    letters.add(record.offset, "too_long", detail, record.value[: 64 * 1024])
    return Batch(partition, start, record.offset + 1, 1, dead_letters=letters.table())
