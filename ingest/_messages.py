"""Kafka messages to batches: one or many records a message, in any of the known formats, compressed or not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest._compress import FIRST_BYTES, codec_of, decompress
from ingest._decode import Stream, decode
from ingest._fields import DEFAULT, Names
from ingest._formats import AUTO, FORMATS, JSON, LINES, LOGS, SPECIAL, TEXT, decode_whole, format_of
from ingest._json import Envelope
from ingest._limits import MAX_RECORDS, too_many
from ingest._pieces import bytes_of
from ingest._received import Messages, Refusal
from ingest._shippers import unpack
from ingest._tables import MAX_RAW, DeadLetters, Ints
from ingest._text import split_column
from telemetry import Batch, DecodeError, Partition

_LINES, _BYTES = 32_768, 4 * 1024 * 1024
_SHARED_TOPICS = ("logs", "metrics", "spans")
_MAX_SERVICE = 200
_JSON_FORMATS = (AUTO, LOGS, JSON)
_STREAMS = {LOGS: Stream.LOGS, JSON: Stream.DATA}
_NUMBER = {name: number for number, name in enumerate(FORMATS)}
_REFUSED = -1


@dataclass(frozen=True)
class Topic:
    """What is known of all messages of a topic partition."""

    partition: Partition
    name: str
    clock: Callable[[], float]
    format: str = AUTO
    names: Names = DEFAULT  # what the fields of JSON records are called


@dataclass(frozen=True)
class _Run:
    """Consecutive messages of one format, but raw lines may be among JSON logs.

    `service` is for records that are text, `named` for others.
    """

    format: str
    values: pa.Array  # binary
    offset: Ints
    observed_us: Ints
    service: pa.Array
    named: pa.Array
    raw_lines: npt.NDArray[np.bool_]  # those of LOGS that are LINES


def batches(topic: Topic, messages: Messages, start: int) -> Iterator[Batch]:
    """Yield the batches of consecutive messages that follow position `start`."""
    values, formats, refusals = _formats(topic, messages)
    data, edges = bytes_of(values)
    newlines = np.diff(np.searchsorted(np.flatnonzero(data == ord("\n")), edges))
    for i in np.flatnonzero((newlines > MAX_RECORDS) & np.isin(formats, [_NUMBER[name] for name in TEXT])).tolist():
        refusals[i], formats[i] = _too_many(int(newlines[i])), _REFUSED
    seen = _seen_us(messages.timestamp, round(topic.clock() * 1e6))
    named = _names(messages.service)
    default = pa.scalar(None if topic.name in _SHARED_TOPICS else topic.name, pa.string())
    service = pc.coalesce(named, _names(messages.key), default)
    kinds = np.where(formats == _NUMBER[LINES], _NUMBER[LOGS], formats)  # which may come mixed, in any order
    for begin, end in _runs(kinds, newlines + 1, np.diff(edges)):
        part, following = slice(begin, end), int(messages.offset[end - 1]) + 1
        if begin in refusals:
            yield _rejected(topic, messages, begin, refusals[begin], start)
        else:
            columns = (values[part], messages.offset[part], seen[part], service[part], named[part])
            run = _Run(FORMATS[kinds[begin]], *columns, formats[part] == _NUMBER[LINES])
            yield (_decode_text if run.format in TEXT else _decode_whole)(topic, run, start, following)
        start = following


def _seen_us(stamps: Ints, now_us: int) -> Ints:
    """Return when messages were seen, of the times (ms) they are stamped with.

    That is when they were stamped, so that it is the same when they are read again; but never after now: a stamp of a
    producer's may be as wrong as its times.
    """
    return np.where(stamps > 0, np.minimum(np.minimum(stamps, now_us) * 1000, now_us), now_us)


def _formats(topic: Topic, messages: Messages) -> tuple[pa.Array, Ints, dict[int, Refusal]]:
    """Return the values as they are decoded, the number of each one's format, and those that cannot be decoded.

    What begins like a plain line is one; only the others are looked into one by one.
    """
    values, refusals = messages.value.fill_null(b""), dict(messages.refusals)
    plain = format_of(topic.name, b"") if topic.format == AUTO else topic.format
    formats = np.full(len(messages), _NUMBER[plain])
    heads = pa.array(sorted(_heads(topic.format)), pa.binary())
    special = np.flatnonzero(pc.is_in(pc.binary_slice(values, 0, 1), heads).to_numpy(zero_copy_only=False))
    if len(special):
        whole = values.to_pylist()
        for i in (i for i in special.tolist() if i not in refusals):
            try:
                whole[i], formats[i] = _look_into(topic, whole[i])
            except DecodeError as error:
                refusals[i] = Refusal(error.reason, error.detail)
        values = pa.array(whole, pa.binary())
    formats[list(refusals)] = _REFUSED
    return values, formats, refusals


def _heads(format: str) -> set[bytes]:
    """Return the first bytes of messages that may be more than plain records of a format."""
    found = {bytes([byte]) for byte in FIRST_BYTES}
    if format == AUTO:
        found.update(SPECIAL)
    return found | {b"["} if format in _JSON_FORMATS else found


def _look_into(topic: Topic, value: bytes) -> tuple[bytes, int]:
    """Return a message's value, decompressed and unpacked, and the number of its format. Raises DecodeError."""
    if (codec := codec_of(value)) is not None:
        value = bytes(decompress(codec, value))
    if topic.format in _JSON_FORMATS:
        value = unpack(value)
    return value, _NUMBER[format_of(topic.name, value) if topic.format == AUTO else topic.format]


def _too_many(newlines: int) -> Refusal:
    error = too_many(newlines)
    return Refusal(error.reason, error.detail)


def _names(values: pa.Array) -> pa.Array:
    """Return the names of services in a binary column; none for those that are empty."""
    if values.null_count == len(values):
        return pa.nulls(len(values), pa.string())
    known = values.dictionary_encode()
    names = [name.decode("utf-8", "replace")[:_MAX_SERVICE] or None for name in known.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(known.indices)


def _runs(formats: Ints, lines: Ints, sizes: Ints) -> Iterator[tuple[int, int]]:
    """Yield (begin, end) of messages that make a batch: of one format, about _LINES lines, _BYTES bytes."""
    changes = np.flatnonzero((formats[1:] != formats[:-1]) | (formats[1:] == _REFUSED)) + 1
    line, byte = (np.concatenate(([0], np.cumsum(each))) for each in (lines, sizes))
    for begin, end in pairwise([0, *changes.tolist(), len(formats)]):
        while begin < end:
            enough = np.searchsorted(line, line[begin] + _LINES)
            full = np.searchsorted(byte, byte[begin] + _BYTES, side="right") - 1
            stop = min(end, max(begin + 1, int(min(enough, full))))
            yield begin, stop
            begin = stop


def _decode_whole(topic: Topic, run: _Run, start: int, following: int) -> Batch:
    envelope = Envelope(topic.partition, run.offset, None, run.named, run.observed_us, {})
    return decode_whole(run.format, run.values.to_pylist(), envelope).batch(envelope, start, following)


def _decode_text(topic: Topic, run: _Run, start: int, following: int) -> Batch:
    """Decode newline-separated records; each is of its message's service."""
    lines, counts = split_column(run.values)
    offset, service, observed, raw_lines = run.offset, run.service, run.observed_us, run.raw_lines
    number = np.ones(len(offset), np.int64)
    if counts is not None:
        firsts = np.repeat(np.cumsum(counts) - counts, counts)
        number = np.arange(1, len(firsts) + 1) - firsts
        offset, observed = np.repeat(offset, counts), np.repeat(observed, counts)
        raw_lines = np.repeat(raw_lines, counts)
        service = service.take(pa.array(np.repeat(np.arange(len(counts)), counts)))
    envelope = Envelope(topic.partition, offset, number, service, observed, lines.notes, topic.names)
    stream = Stream.RAW if run.raw_lines.all() else _STREAMS[run.format]
    return decode(lines.text, envelope, stream, raw_lines).batch(envelope, start, following)


def _rejected(topic: Topic, messages: Messages, number: int, refusal: Refusal, start: int) -> Batch:
    """Return the batch of one message that cannot be decoded, or of the record batch that it stands for."""
    offset, value = int(messages.offset[number]), messages.value[number].as_py() or b""
    letters = DeadLetters(topic.partition, round(topic.clock() * 1e6))
    letters.add(offset, refusal.reason, refusal.detail, value[:MAX_RAW], refusal.records)
    return Batch(topic.partition, start, offset + 1, refusal.records, dead_letters=letters.table())
