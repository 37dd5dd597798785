"""Text records to rows: which are JSON, which are raw lines, which are neither."""

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import telemetry
from ingest import _fields
from ingest._json import Envelope, JsonRows
from ingest._load import check_depth, load
from ingest._tables import DeadLetters, Ints, attributes, build, origin
from ingest._text import TRUNCATED
from ingest._times import Mask
from telemetry import Batch, DecodeError


class Stream(Enum):
    """What a stream holds, told by its first record: decides what a record that is not JSON means."""

    RAW = "raw lines"  # a JSON log record among them is decoded, everything else is a line
    LOGS = "JSON logs"  # a line that begins like JSON must be JSON; another is a raw line (a stack trace, say)
    DATA = "JSON metrics or spans"  # every record must be JSON


def sniff(first: str) -> Stream:
    """Tell a stream by its first record."""
    if not first.lstrip().startswith(('{"', "{ ", "{}", "[{")):
        return Stream.RAW
    try:
        record = load(first)
    except DecodeError:
        return Stream.LOGS
    return Stream.DATA if isinstance(record, dict) and _fields.DEFAULT.shape_of(record).kind != "log" else Stream.LOGS


@dataclass(frozen=True)
class Decoded:
    """Rows of one batch: read = lines + metrics + spans + units of dead letters + filtered.

    `filtered_at`: offsets of those filtered ones that may come after a line that is held back.
    """

    read: int
    filtered: int
    lines: pa.Table
    metrics: pa.Table
    spans: pa.Table
    dead_letters: pa.Table
    filtered_at: pa.Array = field(default_factory=lambda: pa.array([], pa.int64()))

    def batch(self, envelope: Envelope, start: int, next: int, closed: bool = False) -> Batch:
        """Return it as the batch [start, next) of its partition."""
        return Batch(
            envelope.partition, start, next, self.read, self.filtered,
            self.lines, self.metrics, self.spans, self.dead_letters, closed, self.filtered_at,
        )  # fmt: skip


def decode(text: pa.Array, envelope: Envelope, stream: Stream, raw_lines: Mask | None = None) -> Decoded:
    """Decode text records, in order. Blank ones are filtered. `raw_lines`: those that are of a stream of raw lines."""
    blank = pc.equal(pc.binary_length(pc.ascii_trim_whitespace(text)), 0).to_numpy(zero_copy_only=False)
    raw = ~blank
    maybe_json = _candidates(text, stream, raw_lines) & ~blank
    if not maybe_json.any():
        return _raw_only(text, envelope, raw)
    letters = DeadLetters(envelope.partition, int(envelope.observed_us[-1]))
    json_rows = JsonRows(envelope, letters)
    for index, record in zip(np.flatnonzero(maybe_json).tolist(), _pick(text, maybe_json).to_pylist(), strict=True):
        of = Stream.RAW if raw_lines is not None and raw_lines[index] else stream
        raw[index] = _decode_one(index, record, envelope, of, json_rows, letters)
    before = letters.units
    logs_index, logs = json_rows.logs()
    metrics, spans = json_rows.metrics(), json_rows.spans()
    lines = _merge(np.flatnonzero(raw), _raw_lines(text, envelope, raw), logs_index, logs)
    read = int(blank.sum()) + int(raw.sum()) + before + json_rows.read
    filtered_at = pa.array(np.concatenate([envelope.offset[blank], np.array(json_rows.filtered, np.int64)]))
    return Decoded(read, len(filtered_at), lines, metrics, spans, letters.table(), filtered_at)


def _raw_only(text: pa.Array, envelope: Envelope, raw: Mask) -> Decoded:
    """Return what there is of lines none of which may be JSON."""
    metrics, spans, letters = (
        kind.empty_table() for kind in (telemetry.METRICS, telemetry.SPANS, telemetry.DEAD_LETTERS)
    )
    filtered_at = pa.array(envelope.offset[~raw])
    return Decoded(len(text), len(filtered_at), _raw_lines(text, envelope, raw), metrics, spans, letters, filtered_at)


def _pick(text: pa.Array, rows: Mask) -> pa.Array:
    return text if rows.all() else text.filter(pa.array(rows))


def _candidates(text: pa.Array, stream: Stream, raw_lines: Mask | None) -> Mask:
    if stream is Stream.DATA:
        return np.ones(len(text), np.bool_)
    found = np.asarray(pc.starts_with(text, "{").to_numpy(zero_copy_only=False))
    if stream is Stream.LOGS:
        lists = np.asarray(pc.starts_with(text, "[").to_numpy(zero_copy_only=False))
        found = found | (lists if raw_lines is None else lists & ~raw_lines)
    return found


def _decode_one(
    index: int, text: str, envelope: Envelope, stream: Stream, rows: JsonRows, letters: DeadLetters
) -> bool:
    """Decode one record that may be JSON. True: it is a raw line after all."""
    try:
        if envelope.notes and TRUNCATED in envelope.notes.get(index, {}):
            check_depth(text)
            size = envelope.notes[index][TRUNCATED]
            raise DecodeError("too_long", f"a JSON record of {size} bytes, want at most 262144")
        record = load(text)
        if not isinstance(record, dict):
            raise DecodeError("bad_json", f"a JSON {type(record).__name__}, want an object")
    except DecodeError as error:
        if stream is Stream.RAW:
            return True
        letters.add(int(envelope.offset[index]), error.reason, error.detail, text)
        return False
    record, shape = envelope.names.read(record)
    if stream is Stream.RAW and shape.kind == "log" and not shape.known:
        return True
    rows.add(index, text, record, shape)
    return False


def _raw_lines(text: pa.Array, envelope: Envelope, raw: Mask) -> pa.Table:
    if not raw.any():
        return telemetry.LINES.empty_table()
    index = np.flatnonzero(raw)
    notes = None
    if envelope.notes:
        notes = attributes([envelope.notes.get(i) for i in index.tolist()])
    columns = {
        "observed_time": envelope.observed_us[index],
        "service": _pick(envelope.service, raw),
        "body": _pick(text, raw),
        "attributes": notes,
        "offset": envelope.offset[index],
        "line": None if envelope.line is None else envelope.line[index],
        "structured": False,
        **origin(envelope.partition),
    }
    return build(telemetry.LINES, len(index), columns)


def _merge(raw_index: Ints, raw: pa.Table, json_index: Ints, logs: pa.Table) -> pa.Table:
    """Put raw lines and JSON log records back into the order they came in."""
    if not len(logs):
        return raw
    if not len(raw):
        return logs
    order = np.argsort(np.concatenate([raw_index, json_index]), kind="stable")
    return pa.concat_tables([raw, logs]).take(pa.array(order)).combine_chunks()
