"""Kafka messages to batches: one or many records a message, in any of the known formats, compressed or not."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from ingest._compress import MAX_MESSAGE, codec_of, decompress
from ingest._decode import Decoded, Stream, decode
from ingest._fields import DEFAULT, Names
from ingest._formats import AUTO, JSON, LINES, LOGS, TEXT, decode_whole, format_of
from ingest._json import Envelope
from ingest._kafka_codec import refusal_of
from ingest._limits import check_growth
from ingest._shippers import unpack
from ingest._tables import MAX_RAW, DeadLetters
from ingest._text import split_lines
from telemetry import Batch, DecodeError, Partition

_LINES, _BYTES = 8192, 4 * 1024 * 1024
_SHARED_TOPICS = ("logs", "metrics", "spans")
_MAX_SERVICE = 200
_JSON_FORMATS = (AUTO, LOGS, JSON)
_STREAMS = {LINES: Stream.RAW, LOGS: Stream.LOGS, JSON: Stream.DATA}


@dataclass(frozen=True)
class Topic:
    """What is known of all messages of a topic partition."""

    partition: Partition
    name: str
    clock: Callable[[], float]
    format: str = AUTO
    names: Names = DEFAULT  # what the fields of JSON records are called


@dataclass
class _Run:
    """Consecutive messages of one format."""

    format: str = LINES
    records: list[Any] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)
    lines: int = 0
    size: int = 0  # bytes

    def takes(self, format: str, value: bytes) -> bool:
        """Whether a further message belongs to this batch."""
        fits = self.lines < _LINES and self.size + len(value) <= _BYTES
        return not self.records or (format == self.format and fits)

    def add(self, format: str, record: Any, value: bytes) -> None:
        self.format = format
        self.records.append(record)
        self.values.append(value)
        self.lines += value.count(b"\n") + 1
        self.size += len(value)


def batches(topic: Topic, records: Sequence[Any], start: int) -> Iterator[Batch]:
    """Yield the batches of consecutive messages (kafka-python's records) that follow position `start`."""
    run = _Run()
    for record in records:
        try:
            value = _value(record)
            if topic.format in _JSON_FORMATS:
                value = unpack(value)
            format = format_of(topic.name, value) if topic.format == AUTO else topic.format
            if format in TEXT:
                check_growth(value.count(b"\n"), 0, len(value))
        except DecodeError as error:
            if run.records:
                yield (batch := _decode(topic, run, start))
                start, run = batch.next, _Run()
            yield (batch := _rejected(topic, record, error, start))
            start = batch.next
            continue
        if not run.takes(format, value):
            yield (batch := _decode(topic, run, start))
            start, run = batch.next, _Run()
        run.add(format, record, value)
    if run.records:
        yield _decode(topic, run, start)


def _value(record: Any) -> bytes:
    """Return a message's value, decompressed if it was compressed by its sender. Raises DecodeError."""
    value: bytes = record.value or b""
    if record.headers and (refusal := refusal_of(record)):
        raise DecodeError(refusal.reason, refusal.detail)
    if len(value) > MAX_MESSAGE:
        raise DecodeError("too_long", f"a message of {len(value)} bytes, want at most {MAX_MESSAGE}")
    codec = codec_of(value)
    return value if codec is None else bytes(decompress(codec, value))


def _decode(topic: Topic, run: _Run, start: int) -> Batch:
    envelope = _envelope(topic, run)
    decoded = (
        _decode_text(topic, run, envelope) if run.format in TEXT else decode_whole(run.format, run.values, envelope)
    )
    return decoded.batch(envelope, start, run.records[-1].offset + 1)


def _envelope(topic: Topic, run: _Run) -> Envelope:
    """Return what is known of each message of a run.

    A message was seen when it was stamped, so that it is the same when it is read again; but never after now: a stamp
    of a producer's may be as wrong as its times.
    """
    records, now = run.records, round(topic.clock() * 1e6)
    stamps = [min(record.timestamp * 1000, now) if record.timestamp > 0 else now for record in records]
    return Envelope(
        topic.partition,
        np.array([record.offset for record in records], np.int64),
        None,
        pa.array([_service(record, topic.name, run.format) for record in records], pa.string()),
        np.array(stamps, np.int64),
        {},
    )


def _decode_text(topic: Topic, run: _Run, messages: Envelope) -> Decoded:
    """Decode newline-separated records; each is of its message's service."""
    values = [value.removesuffix(b"\n") for value in run.values]
    counts = np.array([value.count(b"\n") + 1 for value in values])
    lines = split_lines(b"\n".join(values))
    firsts = np.repeat(np.cumsum(counts) - counts, counts)
    envelope = Envelope(
        topic.partition,
        np.repeat(messages.offset, counts),
        np.arange(1, len(firsts) + 1) - firsts,
        messages.service.take(pa.array(np.repeat(np.arange(len(values)), counts))),
        np.repeat(messages.observed_us, counts),
        lines.notes,
        topic.names,
    )
    return decode(lines.text, envelope, _STREAMS[run.format])


def _service(record: Any, topic: str, format: str) -> str | None:
    """Return the `service` header, else the key, else the topic where it is not one all services share.

    The key of a message that holds the records of many services (OTLP, remote write) is an id or a hash.
    """
    named = next((value for key, value in record.headers if key == "service"), None)
    if not named and format in TEXT:
        named = record.key
    if named:
        return str(named.decode("utf-8", "replace"))[:_MAX_SERVICE]
    return None if topic in _SHARED_TOPICS or format not in TEXT else topic


def _rejected(topic: Topic, record: Any, error: DecodeError, start: int) -> Batch:
    """Return the batch of one message that cannot be decoded, or of the record batch that `record` stands for."""
    refusal = refusal_of(record)
    units = refusal.records if refusal else 1
    letters = DeadLetters(topic.partition, round(topic.clock() * 1e6))
    letters.add(record.offset, error.reason, error.detail, (record.value or b"")[:MAX_RAW], units)
    return Batch(topic.partition, start, record.offset + 1, units, dead_letters=letters.table())
