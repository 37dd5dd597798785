"""JSON records to rows: logs, metric points (one, or a map of them) and spans, told apart by their keys."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

import telemetry
from ingest import _fields, _times
from ingest._ahead import settled
from ingest._limits import check_growth
from ingest._log_columns import Row, log_columns
from ingest._tables import DeadLetters, Ints, attributes, build, origin
from telemetry import DecodeError, Partition

_STATUS = {0: "unset", 1: "ok", 2: "error"}
_US = {"duration_us": 1.0, "duration_ms": 1e3, "duration_ns": 1e-3}


@dataclass(frozen=True)
class Envelope:
    """What is known of records from outside their text; arrays have one entry a record."""

    partition: Partition
    offset: Ints
    line: Ints | None
    service: pa.Array  # string; null: nothing outside the record names one
    observed_us: Ints
    notes: Mapping[int, dict[str, str]]
    names: _fields.Names = _fields.DEFAULT  # what the fields of JSON records are called


class JsonRows:
    """Collects the JSON records of one batch, by the index each has in it, and turns them into tables."""

    def __init__(self, envelope: Envelope, letters: DeadLetters) -> None:
        self._envelope, self._letters = envelope, letters
        self._services: list[str | None] = envelope.service.to_pylist()
        self._offsets: list[int] = envelope.offset.tolist()
        self._records: dict[str, list[Row]] = {}
        self.filtered: list[int] = []  # offsets
        self.read = 0

    def add(self, index: int, text: str, record: dict[str, Any], shape: _fields.Shape) -> None:
        """Take one decoded record in."""
        self._records.setdefault(shape.kind, []).append((index, text, record, shape))

    def _reject(self, index: int, reason: str, detail: str, text: str, units: int = 1) -> None:
        self._letters.add(self._offsets[index], reason, detail, text, units)

    def _origin(self, index: Ints) -> dict[str, Any]:
        return {"offset": self._envelope.offset[index], **origin(self._envelope.partition)}

    def _usable(
        self, rows: Sequence[tuple[int, str]], values: list[Any], units: Sequence[int] | None = None
    ) -> tuple[_times.Times, _times.Mask]:
        """Return event times and which rows can be kept; the others become dead letters."""
        us, usable = _times.from_values(values)
        for i in np.flatnonzero(~usable).tolist():
            index, text = rows[i]
            detail = f"time {values[i]!r:.100} is not a time this side of 1973 that can be read"
            self._reject(index, "bad_time", detail, text, units[i] if units is not None else 1)
        return us, usable

    # -- logs -----------------------------------------------------------------------------------------------------

    def logs(self) -> tuple[Ints, pa.Table]:
        """Return the log records: their indexes and LINES rows."""
        rows = self._records.get("log", [])
        self.read += len(rows)
        raw_times = [_instant(record.get(shape.keys.get("time", ""))) for _, _, record, shape in rows]
        us, keep = self._log_times(rows, raw_times)
        kept = [rows[i] for i in np.flatnonzero(keep).tolist()]
        index = np.array([row[0] for row in kept], np.int64)
        columns = log_columns(kept, self._services, self._envelope.notes)
        stamps = us[keep]
        line = self._envelope.line
        table = build(
            telemetry.LINES,
            len(kept),
            {
                "time": pa.array(stamps, mask=stamps == 0),
                "observed_time": self._envelope.observed_us[index],
                "line": None if line is None else line[index],
                "structured": True,
                **columns,
                **self._origin(index),
            },
        )
        return index, table

    def _log_times(
        self, rows: Sequence[tuple[int, str, Any, Any]], values: list[Any]
    ) -> tuple[_times.Times, _times.Mask]:
        """A log record without a readable time stays, with none; one with an impossible time goes."""
        us, usable = _times.from_values(values)
        wrong = ~usable & np.array([type(v) in (int, float) for v in values], np.bool_)
        if not wrong.any():
            return us, np.ones(len(rows), np.bool_)
        stated = [i for i in range(len(rows)) if usable[i] or wrong[i]]
        _, fine = self._usable([rows[i][:2] for i in stated], [values[i] for i in stated])
        keep = np.ones(len(rows), np.bool_)
        keep[stated] = fine
        return us, keep

    # -- metrics --------------------------------------------------------------------------------------------------

    def metrics(self) -> pa.Table:
        """Return METRICS rows, in order."""
        rows, labels, names, values, counts = self._points()
        self.read += sum(counts)
        us, keep = self._usable(
            [row[:2] for row in rows], [row[2].get(row[3].keys.get("time", "")) for row in rows], counts
        )
        numbers, fine = self._numbers(rows, names, values, counts, keep)
        owner = np.repeat(np.arange(len(rows)), counts)[fine]
        index = np.array([row[0] for row in rows], np.int64)[owner]
        services = [
            _fields.service_of(row[2].get(row[3].keys.get("service", ""))) or self._services[row[0]] or "unknown"
            for row in rows
        ]
        notes = attributes(labels)
        take = pa.array(owner)
        points = build(
            telemetry.METRICS,
            len(owner),
            {
                "time": us[owner],
                "service": pa.array(services, pa.string()).take(take),
                "metric": pa.array(names, pa.string()).filter(pa.array(fine)),
                "value": numbers[fine],
                "attributes": notes.take(take),
                "late": False,
                **self._origin(index),
            },
        )
        return settled(points, self._envelope.observed_us[index], self._envelope.partition.written_us)

    def _points(self) -> tuple[list[Row], list[dict[str, str]], list[str], list[Any], list[int]]:
        """Return metric records in order and their labels, names and values of all points, how many each has."""
        rows: list[Row] = []
        labels: list[dict[str, str]] = []
        names: list[str] = []
        values: list[Any] = []
        counts: list[int] = []
        for row in sorted(self._records.get("metrics", []) + self._records.get("metric", []), key=lambda r: r[0]):
            _, _, record, shape = row
            if shape.kind == "metrics":
                points = record[shape.keys["metrics"]]
                if type(points) is not dict or not points:
                    self.read += 1
                    self._reject(row[0], "bad_metric", "`metrics` is not an object with at least one point", row[1])
                    continue
                if not self._fits(row, found := _labels(record, shape), len(points)):
                    continue
                labels.append(found)
                names.extend(points)
                values.extend(points.values())
                counts.append(len(points))
            else:
                names.append(_fields.text_of(record[shape.keys["metric"]]))
                values.append(record[shape.keys["value"]])
                counts.append(1)
                labels.append(_labels(record, shape))
            rows.append(row)
        return rows, labels, names, values, counts

    def _fits(self, row: Row, labels: dict[str, str], count: int) -> bool:
        """Whether labels that all points of a record share make no more of it than is allowed."""
        size = sum(map(len, labels)) + sum(map(len, labels.values()))
        try:
            check_growth(count, size * count, len(row[1]))
        except DecodeError as error:
            self.read += count
            self._reject(row[0], error.reason, error.detail, row[1], count)
            return False
        return True

    def _numbers(
        self,
        rows: Sequence[tuple[int, str, Any, Any]],
        names: list[str],
        values: list[Any],
        counts: list[int],
        keep: _times.Mask,
    ) -> tuple[Any, _times.Mask]:
        """Return values as floats and which points to keep; null points are filtered, others that fail rejected."""
        kept = np.repeat(keep, counts)
        numeric = set(map(type, values)) <= {int, float}
        owner = np.repeat(np.arange(len(rows)), counts)
        if not numeric:
            is_null = np.array([v is None for v in values], np.bool_)
            self.filtered += [self._offsets[rows[i][0]] for i in owner[is_null & kept].tolist()]
            kept_points = kept & ~is_null
            clean = [v if type(v) in (int, float) else None for v in values]
        else:
            kept_points, clean = kept, values
        numbers = np.array([_float(v) for v in clean] if not numeric else _floats(clean), np.float64)
        fine = kept_points & np.isfinite(numbers)
        for i in np.flatnonzero(kept_points & ~fine).tolist():
            index, text = rows[owner[i]][:2]
            reason = "not_finite" if type(values[i]) in (int, float) else "bad_value"
            self._reject(index, reason, f"metric {names[i]:.100} is {values[i]!r:.60}, want a finite number", text)
        return numbers, fine

    # -- spans ----------------------------------------------------------------------------------------------------

    def spans(self) -> pa.Table:
        """Return SPANS rows, in order."""
        rows = self._records.get("span", [])
        self.read += len(rows)
        rows = [row for row in rows if self._has_ids(row)]
        us, keep = self._usable([row[:2] for row in rows], [row[2].get(row[3].keys.get("start", "")) for row in rows])
        durations, sound = self._durations(rows, us, keep)
        kept = [rows[i] for i in np.flatnonzero(sound).tolist()]
        index = np.array([row[0] for row in kept], np.int64)
        columns = {
            name: [make(record, shape.keys) for _, _, record, shape in kept] for name, make in _SPAN_COLUMNS.items()
        }
        services = [
            _fields.service_of(record.get(shape.keys.get("service", ""))) or self._services[i] or "unknown"
            for i, _, record, shape in kept
        ]
        notes = attributes([_labels(record, shape) for _, _, record, shape in kept])
        spans = build(
            telemetry.SPANS,
            len(kept),
            {
                "time": us[sound],
                "duration_us": durations[sound],
                "service": services,
                "attributes": notes,
                "late": False,
                **columns,
                **self._origin(index),
            },
        )
        return settled(spans, self._envelope.observed_us[index], self._envelope.partition.written_us)

    def _has_ids(self, row: Row) -> bool:
        index, text, record, shape = row
        ids = (record.get(shape.keys["trace_id"]), record.get(shape.keys["span_id"]))
        if all(_fields.id_of(each) for each in ids):
            return True
        self._reject(index, "bad_span", f"trace and span id are {ids!r:.100}, want two ids", text)
        return False

    def _durations(self, rows: Sequence[Any], us: Ints, keep: _times.Mask) -> tuple[Ints, _times.Mask]:
        """Return durations in microseconds and which of the rows to keep."""
        ends, ended = _times.from_values([row[2].get(row[3].keys.get("end", "")) for row in rows])
        values = np.full(len(rows), np.nan)
        for i, (_, _, record, shape) in enumerate(rows):
            key = next((k for k in _US if k in shape.keys), None)
            if key is not None:
                values[i] = _float(record.get(shape.keys[key])) * _US[key]
            elif ended[i]:
                values[i] = ends[i] - us[i]
        fine = np.isfinite(values) & (values >= 0) & (values < 2**53)
        for i in np.flatnonzero(keep & ~fine).tolist():
            self._reject(rows[i][0], "bad_value", f"duration is {values[i]} us, want a finite number >= 0", rows[i][1])
        return np.where(fine, np.rint(values), 0).astype(np.int64), keep & fine


_SPAN_COLUMNS: dict[str, Callable[[dict[str, Any], dict[str, str]], str | None]] = {
    "trace_id": lambda record, keys: _fields.text_of(record[keys["trace_id"]]),
    "span_id": lambda record, keys: _fields.text_of(record[keys["span_id"]]),
    "parent_span_id": lambda record, keys: parent_id(record.get(keys.get("parent", ""))),
    "operation": lambda record, keys: _fields.text_of(record[keys["operation"]]),
    "status": lambda record, keys: _status(record.get(keys.get("status", ""))),
}


def parent_id(value: Any) -> str | None:
    """Return the parent span's id; exporters write the absence of one as empty, zeros or `root`."""
    found = _fields.id_of(value)
    return None if found is None or found.lower() in ("root", "null", "none") else found


def _instant(value: Any) -> Any:
    """Return the nanoseconds of a time written as an object (Log4j 2: epochSecond; Google: seconds), others as is.

    MongoDB's `$date` is a time of its own.
    """
    if not isinstance(value, dict):
        return value
    if "$date" in value:
        return value["$date"]
    seconds, nanos = (value.get(a, value.get(b, 0)) for a, b in (("epochSecond", "seconds"), ("nanoOfSecond", "nanos")))
    return seconds * 1_000_000_000 + nanos if type(seconds) is int and type(nanos) is int else None


def _status(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("code")
    if type(value) is int:
        return _STATUS.get(value, "unset")
    text = value.lower().removeprefix("status_code_") if isinstance(value, str) else ""
    return text if text in ("ok", "error") else "unset"


def _string_map(value: Any) -> dict[str, str] | None:
    if not isinstance(value, dict):
        return None
    return {key: _fields.text_of(item) for key, item in value.items() if item is not None}


def _labels(record: dict[str, Any], shape: _fields.Shape) -> dict[str, str]:
    extra = {key: _fields.text_of(record[key]) for key in shape.rest if record[key] is not None}
    return (_string_map(record.get(shape.keys.get("attributes", ""))) or {}) | extra


def _float(value: Any) -> float:
    try:
        return float(value) if type(value) in (int, float) else float("nan")
    except OverflowError:
        return float("inf")


def _floats(values: list[Any]) -> Any:
    try:
        return np.array(values, np.float64)
    except OverflowError:
        return [_float(value) for value in values]
