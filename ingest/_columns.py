"""Columns of records decoded from binary or packed messages: checked, turned into tables, the wrong ones rejected."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

import telemetry
from ingest._ahead import settled
from ingest._json import Envelope
from ingest._tables import MAX_RAW, DeadLetters, Ints, build, origin
from ingest._times import LATEST_US

Mask = npt.NDArray[np.bool_]
EARLIEST_US = 100_000_000_000_000  # 1973: an earlier time is one written in another unit


class Attributes:
    """Builds an attributes column from one mapping a row, without a list of pairs a row."""

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._values: list[str] = []
        self._ends: list[int] = [0]

    def add(self, row: Mapping[str, str]) -> None:
        """Append a row."""
        self._keys.extend(row)
        self._values.extend(row.values())
        self._ends.append(len(self._keys))

    def of(self, row: int) -> dict[str, str]:
        """Return one row."""
        part = slice(self._ends[row], self._ends[row + 1])
        return dict(zip(self._keys[part], self._values[part], strict=True))

    def column(self) -> pa.Array:
        """Return the column."""
        ends, keys, values = (
            pa.array(self._ends, pa.int32()),
            pa.array(self._keys, pa.string()),
            pa.array(self._values, pa.string()),
        )
        return pa.MapArray.from_arrays(ends, keys, values)


class Columns:
    """Rows out of several messages, column by column; `owner` is the index each row's message has in the envelope."""

    def __init__(
        self, columns: dict[str, Any], attributes: Attributes, owner: Sequence[int] | Ints, envelope: Envelope
    ) -> None:
        self.values = columns
        self._attributes, self._envelope = attributes, envelope
        self.owner = np.asarray(owner, np.int64)
        self.keep: Mask = np.ones(len(self.owner), np.bool_)

    def reject(self, wrong: Mask, letters: DeadLetters, reason: str, detail: Callable[[int], str]) -> None:
        """Make a dead letter of each message's wrong rows; its raw bytes are those rows as JSON lines."""
        wrong = wrong & self.keep
        self.keep &= ~wrong
        for message in np.unique(self.owner[wrong]).tolist():
            rows = np.flatnonzero(wrong & (self.owner == message)).tolist()
            more = f" (and {len(rows) - 1} more of this message)" if len(rows) > 1 else ""
            offset = int(self._envelope.offset[message])
            letters.add(offset, reason, detail(rows[0]) + more, self._as_json(rows), len(rows))

    def _as_json(self, rows: Sequence[int]) -> bytes:
        out = bytearray()
        for row in rows:
            out += orjson.dumps(self._record(row), default=str, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n"
            if len(out) > MAX_RAW:
                break
        return bytes(out)

    def _record(self, row: int) -> dict[str, Any]:
        found = {name: column[row] for name, column in self.values.items()}
        return {name: value for name, value in found.items() if value is not None} | {
            "attributes": self._attributes.of(row)
        }

    def reject_times(self, letters: DeadLetters, optional: bool = False) -> None:
        """Reject rows whose `time` is impossible; 0 is "not stated", wrong unless `optional`."""
        us = self.values["time"]
        stated = us != 0 if optional else np.ones(len(us), np.bool_)
        wrong = stated & ((us < EARLIEST_US) | (us > LATEST_US))
        self.reject(wrong, letters, "bad_time", lambda row: f"time {us[row]} us is not between 1973 and 2200")

    def points(self, schema: pa.Schema) -> pa.Table:
        """Return the rows that are kept, of METRICS or SPANS."""
        envelope, kept = self._envelope, self.owner[self.keep]
        return settled(self.table(schema, late=False), envelope.observed_us[kept], envelope.partition.written_us)

    def table(self, schema: pa.Schema, **more: Any) -> pa.Table:
        """Return the rows that are kept; `more` are further columns."""
        rows = np.flatnonzero(self.keep)
        whole = len(rows) == len(self.keep)
        columns = {name: _taken(value, rows, whole) for name, value in self.values.items()}
        notes = self._attributes.column()
        return build(
            schema,
            len(rows),
            {
                **columns,
                "attributes": notes if whole else notes.take(pa.array(rows)),
                "offset": self._envelope.offset[self.owner[rows]],
                **origin(self._envelope.partition),
                **{name: _taken(value, rows, whole) for name, value in more.items()},
            },
        )


def _taken(value: Any, rows: Ints, whole: bool) -> Any:
    if whole or not isinstance(value, list | np.ndarray | pa.Array):
        return value
    if isinstance(value, list):
        return [value[row] for row in rows.tolist()]
    return value[rows] if isinstance(value, np.ndarray) else value.take(pa.array(rows))


def metrics_table(columns: Columns, letters: DeadLetters) -> tuple[pa.Table, int]:
    """Return METRICS rows of columns time (us), service, metric, value, and how many points were left out.

    NaN is how exporters write "no value": such points are left out. Infinite ones and impossible times are rejected.
    """
    values, names = columns.values["value"], columns.values["metric"]
    absent = np.isnan(values)
    columns.keep &= ~absent
    columns.reject(
        np.isinf(values), letters, "not_finite", lambda row: f"metric {names[row]:.100} is infinite, want a number"
    )
    columns.reject_times(letters)
    return columns.points(telemetry.METRICS), int(absent.sum())


def spans_table(columns: Columns, letters: DeadLetters) -> pa.Table:
    """Return SPANS rows of their columns, times and durations in microseconds."""
    ids = [columns.values["trace_id"], columns.values["span_id"]]
    missing = np.array([not (trace and span) for trace, span in zip(*ids, strict=True)], np.bool_)
    columns.reject(missing, letters, "bad_span", lambda row: f"trace and span id are {[i[row] for i in ids]}, want two")
    us = columns.values["duration_us"]
    columns.reject(us < 0, letters, "bad_value", lambda row: f"the span ends {-us[row]} us before it starts")
    columns.reject_times(letters)
    return columns.points(telemetry.SPANS)


def lines_table(columns: Columns, letters: DeadLetters) -> pa.Table:
    """Return LINES rows of structured log records; a `time` of 0 is none."""
    columns.reject_times(letters, optional=True)
    us = columns.values["time"]
    columns.values["time"] = pa.array(us, mask=us == 0)
    return columns.table(telemetry.LINES, structured=True)
