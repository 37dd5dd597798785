"""Logs and spans in Parquet, by the names of their columns."""

import errno
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import telemetry
from ingest import _fields, _times
from ingest._ahead import settled
from ingest._decode import Stream, decode
from ingest._json import Envelope, parent_id
from ingest._readers import Unsupported
from ingest._tables import DeadLetters, build, origin
from telemetry import Batch, Partition, PositionLost

_ROWS = 8192
# A Deployment's pod is called <name>-<replica set hash>-<5 letters>; Kubernetes takes the letters from this alphabet.
_POD_SUFFIX = "-[bcdfghjklmnpqrstvwxz2456789]{5,10}-[bcdfghjklmnpqrstvwxz2456789]{5}$|-[0-9]{1,4}$"
_LOG = ("service", "component", "trace_id", "span_id", "severity")


class ParquetReader:
    """Log records or spans. Position: row number."""

    def __init__(self, path: Path, partition: Partition, service: str | None) -> None:
        from pyarrow.parquet import ParquetFile

        self.partition, self._row, self._service = partition, 0, service
        try:
            self._file = ParquetFile(path)
            names = self._file.schema_arrow.names
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise Unsupported(f"not readable as Parquet: {str(error).splitlines()[0]:.100}") from None
        self._keys, self._kind = _layout(names)
        _check_types(self._file.schema_arrow, self._keys)
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self.seek(0)

    @property
    def position(self) -> int:
        """Number of the next row."""
        return self._row

    def seek(self, position: int) -> None:
        """Go on at this row."""
        total = self._file.metadata.num_rows
        if position > total:
            raise PositionLost(f"{self.partition.source} has {total} rows, but {position} were read of it before")
        groups = [self._file.metadata.row_group(i).num_rows for i in range(self._file.num_row_groups)]
        ends = np.cumsum(groups)
        first = int(np.searchsorted(ends, position, side="right"))
        self._row, self._skip = position, position - (int(ends[first - 1]) if first else 0)
        self._batches = self._file.iter_batches(_ROWS, row_groups=list(range(first, len(groups))))

    def read(self, final: bool, observed_us: int) -> Batch | None:
        """Return up to 8192 rows."""
        while (rows := self._next()) is not None:
            skip, self._skip = min(self._skip, len(rows)), max(0, self._skip - len(rows))
            if skip == len(rows):
                continue
            start = self._row
            self._row += len(rows) - skip
            make = self._spans if self._kind == "span" else self._logs
            return make(rows.slice(skip), start, observed_us)
        return None

    def _next(self) -> pa.RecordBatch | None:
        try:
            rows = next(self._batches, None)
            if rows is not None:
                rows.validate(full=True)  # a text column may hold bytes that are no text
            return rows
        except (pa.ArrowException, OSError) as error:
            raise OSError(errno.EIO, f"damaged Parquet: {str(error).splitlines()[0]:.100}") from None

    def _get(self, rows: pa.RecordBatch, meaning: str) -> pa.Array | None:
        return rows.column(self._keys[meaning]) if meaning in self._keys else None

    def _text(self, rows: pa.RecordBatch, meaning: str) -> pa.Array:
        column = self._get(rows, meaning)
        return pa.nulls(len(rows), pa.string()) if column is None else _as_text(column)

    def _logs(self, rows: pa.RecordBatch, start: int, observed_us: int) -> Batch:
        """The message may still begin with a header of its own; the time is that of the time column."""
        offset = np.arange(start, start + len(rows))
        us, timed = times_of(rows.column(self._keys["time"]))
        letters = DeadLetters(self.partition, observed_us)
        text = pc.fill_null(self._text(rows, "message"), "")
        for i in np.flatnonzero(~timed).tolist():
            letters.add(start + i, "bad_time", f"time {us[i]} cannot be used", text[i].as_py())
        kept = pa.array(timed)
        there = observed_us if self.partition.written_us is None else self.partition.written_us
        service = pc.coalesce(self._text(rows, "service").filter(kept), pa.scalar(self._service, pa.string()))
        envelope = Envelope(self.partition, offset[timed], None, service, np.minimum(us, there)[timed], {})
        decoded = decode(text.filter(kept), envelope, Stream.RAW)
        lines = self._fill(decoded.lines, rows, us, start)
        return Batch(
            self.partition, start, self._row, decoded.read + letters.units, decoded.filtered, lines,
            decoded.metrics, decoded.spans, pa.concat_tables([decoded.dead_letters, letters.table()]),
            filtered_at=decoded.filtered_at,
        )  # fmt: skip

    def _fill(self, lines: pa.Table, rows: pa.RecordBatch, us: _times.Times, start: int) -> pa.Table:
        """Add what the other columns say to decoded lines; what the record says itself comes first."""
        index = lines["offset"].to_numpy() - start
        pick = pa.array(index)
        columns = {name: lines[name] for name in lines.column_names}
        columns["time"] = pc.coalesce(pa.array(us[index]).cast(telemetry.TIME), lines["time"])
        for meaning, name in (("trace_id", "trace_id"), ("span_id", "span_id"), ("component", "component")):
            if meaning in self._keys:
                columns[name] = pc.coalesce(lines[name], _none_if_empty(self._text(rows, meaning).take(pick)))
        if "severity" in self._keys:
            columns["severity_text"] = pc.coalesce(lines["severity_text"], self._text(rows, "severity").take(pick))
            numbers = [telemetry.severity_number(text) for text in columns["severity_text"].to_pylist()]
            columns["severity_number"] = pc.coalesce(lines["severity_number"], pa.array(numbers, pa.int8()))
        columns["attributes"] = self._attributes(lines["attributes"], rows.take(pick))
        return build(telemetry.LINES, len(lines), columns)

    def _attributes(self, own: pa.ChunkedArray, rows: pa.RecordBatch) -> Any:
        """Text columns that mean nothing else become attributes, unless the record has attributes itself."""
        taken = set(self._keys.values())
        names = [f.name for f in rows.schema if f.name not in taken and _is_text(f.type)]
        if not names or not len(rows):
            return own
        items = pa.concat_arrays([rows.column(name).cast(pa.string()) for name in names])
        order = np.arange(len(items)).reshape(len(names), len(rows)).T.ravel()
        keys = pa.array(names).take(pa.array(np.tile(np.arange(len(names)), len(rows))))
        offsets = pa.array(np.arange(len(rows) + 1) * len(names), pa.int32())
        maps = pa.MapArray.from_arrays(offsets, keys, items.take(pa.array(order)))
        if own.null_count == len(own):
            return maps
        return pa.array(
            [(list(a or ()) + list(b)) for a, b in zip(own.to_pylist(), maps.to_pylist(), strict=True)],
            telemetry.ATTRIBUTES,
        )

    def _spans(self, rows: pa.RecordBatch, start: int, observed_us: int) -> Batch:
        us, timed = times_of(rows.column(self._keys["start"]))
        letters = DeadLetters(self.partition, observed_us)
        duration = self._duration(rows)
        trace, span = self._text(rows, "trace_id"), self._text(rows, "span_id")
        named = pc.and_(
            pc.greater(pc.binary_length(pc.fill_null(trace, "")), 0),
            pc.greater(pc.binary_length(pc.fill_null(span, "")), 0),
        )
        has_ids = np.asarray(named)
        for reason, wrong in (
            ("bad_span", ~has_ids), ("bad_time", has_ids & ~timed), ("bad_value", has_ids & timed & (duration < 0)),
        ):  # fmt: skip
            for i in np.flatnonzero(wrong).tolist():
                letters.add(
                    start + i, reason, f"span {span[i].as_py()!r:.40} cannot be used", str(rows.slice(i, 1).to_pylist())
                )
        keep = has_ids & timed & (duration >= 0)
        kept = rows.filter(pa.array(keep))
        columns = {
            "time": us[keep], "duration_us": duration[keep], "service": self._span_service(kept),
            "trace_id": trace.filter(pa.array(keep)), "span_id": span.filter(pa.array(keep)),
            "parent_span_id": _parents(self._text(kept, "parent")),
            "operation": pc.fill_null(self._text(kept, "operation"), ""), "status": self._status(kept),
            "attributes": self._attributes(pa.chunked_array([pa.nulls(len(kept), telemetry.ATTRIBUTES)]), kept),
            "offset": (np.arange(len(rows)) + start)[keep], "late": False, **origin(self.partition),
        }  # fmt: skip
        spans = settled(build(telemetry.SPANS, len(kept), columns), observed_us, self.partition.written_us)
        return Batch(self.partition, start, self._row, len(rows), spans=spans, dead_letters=letters.table())

    def _duration(self, rows: pa.RecordBatch) -> Any:
        """Microseconds: end less start where both are there, else the duration column; -1 where neither is."""
        if "end" in self._keys:
            return times_of(rows.column(self._keys["end"]))[0] - times_of(rows.column(self._keys["start"]))[0]
        for name, factor in (("duration_us", 1.0), ("duration_ms", 1e3), ("duration_ns", 1e-3)):
            if name in self._keys:
                values = pc.fill_null(rows.column(self._keys[name]).cast(pa.float64()), -1).to_numpy()
                return np.rint(np.where(np.isfinite(values), values, -1) * factor).astype(np.int64)
        return np.full(len(rows), -1)

    def _span_service(self, rows: pa.RecordBatch) -> pa.Array:
        if "service" in self._keys:
            return pc.fill_null(self._text(rows, "service"), self._service or "unknown")
        pods = pc.replace_substring_regex(self._text(rows, "pod"), _POD_SUFFIX, "")
        return pc.fill_null(pods, self._service or "unknown")

    def _status(self, rows: pa.RecordBatch) -> pa.Array:
        text = pc.replace_substring(pc.utf8_lower(self._text(rows, "status")), "status_code_", "")
        return pc.if_else(pc.is_in(text, pa.array(["ok", "error"])), text, "unset")

    def replaced(self) -> bool:
        """A Parquet file is written once."""
        return False

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _layout(names: list[str]) -> tuple[dict[str, str], str]:
    """Return which column means what, and whether rows are spans or log records."""
    keys = tuple(names)
    span = _fields.find(keys, "trace_id", "span_id", "parent", "operation", "service", "status", "start", "end",
                        "duration_us", "duration_ms", "duration_ns")  # fmt: skip
    pods = _fields.find(keys, "pod")
    if {"trace_id", "span_id", "operation", "start"} <= span.keys() and ("service" in span or pods):
        return {**span, **pods}, "span"
    log = _fields.find(keys, "time", "message", *_LOG)
    if {"time", "message"} <= log.keys():
        return log, "log"
    raise Unsupported(f"Parquet columns are neither logs nor spans: {', '.join(names)[:100]}")


def _check_types(schema: pa.Schema, keys: dict[str, str]) -> None:
    for meaning, name in keys.items():
        if schema.names.count(name) > 1:
            raise Unsupported(f"Parquet column {name:.60} is there more than once")
        kind = schema.field(name).type
        number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        if pa.types.is_nested(kind) or (meaning.startswith("duration") and not number):
            want = "a number" if meaning.startswith("duration") else "text, a number or a time"
            raise Unsupported(f"Parquet column {name:.60} holds {kind!s:.60}, want {want}")


def times_of(column: pa.Array) -> tuple[_times.Times, _times.Mask]:
    """Return the times of a column of timestamps, epoch numbers or texts, and which are usable."""
    if pa.types.is_timestamp(column.type):
        us = pc.cast(
            pc.cast(column, pa.timestamp("us"), safe=False)
            if column.type.tz is None
            else pc.cast(column, telemetry.TIME, safe=False),
            pa.int64(),
        )
        found = pc.fill_null(us, 0).to_numpy()
        return found, np.asarray(pc.is_valid(us)) & (found >= 0) & (found <= _times.LATEST_US)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        us, usable = _times.from_epoch(
            _ints(column) if pa.types.is_integer(column.type) else column.to_numpy(zero_copy_only=False)
        )
        return us, usable
    return _times.from_text(_as_text(column))


def _ints(column: pa.Array) -> Any:
    return pc.fill_null(column, 0).to_numpy(zero_copy_only=False)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _as_text(column: pa.Array) -> pa.Array:
    """Return a column as text; bytes that are not UTF-8 become \\xNN."""
    with suppress(pa.ArrowInvalid):
        return column.cast(pa.string())
    return pa.array([value and value.decode("utf-8", "backslashreplace") for value in column.to_pylist()], pa.string())


def _none_if_empty(column: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def _parents(column: pa.Array) -> pa.Array:
    unique = column.dictionary_encode()
    return pa.array([parent_id(text) for text in unique.dictionary.to_pylist()], pa.string()).take(unique.indices)
