"""Building rows of the telemetry schemas from columns."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

import telemetry
from telemetry import Partition

Ints = npt.NDArray[np.int64]
MAX_RAW = 64 * 1024
"""A dead letter keeps this many bytes of what came in."""
_MAX_DETAIL = 300


def build(schema: pa.Schema, rows: int, columns: Mapping[str, Any]) -> pa.Table:
    """Return a table of `schema`: lists, arrays or one value for all rows; a missing column is null."""
    return pa.table([_column(columns.get(f.name), f.type, rows) for f in schema], schema=schema)


def _column(value: Any, kind: pa.DataType, rows: int) -> pa.Array:
    if value is None:
        return pa.nulls(rows, kind)
    if isinstance(value, np.ndarray):
        value = pa.array(value)
    if isinstance(value, pa.Array | pa.ChunkedArray):
        return value if value.type == kind else value.cast(kind)
    if isinstance(value, list):
        return pa.array(value, kind)
    return pa.repeat(pa.scalar(value, kind), rows)


def origin(partition: Partition) -> dict[str, Any]:
    """Return the columns that say where rows of a partition come from, less the offset."""
    return {"source": partition.source, "partition": partition.number}


def attributes(maps: Sequence[Mapping[str, str] | None]) -> pa.Array:
    """Return the attributes column; null for a row that has none."""
    if not any(maps):
        return pa.nulls(len(maps), telemetry.ATTRIBUTES)
    return pa.array([list(m.items()) if m else None for m in maps], telemetry.ATTRIBUTES)


class DeadLetters:
    """Collects what is rejected out of one partition."""

    def __init__(self, partition: Partition, time_us: int) -> None:
        self._partition, self._time_us = partition, time_us
        self._rows: list[tuple[int, str, str, int, bytes]] = []

    def add(self, offset: int, reason: str, detail: str, raw: str | bytes, units: int = 1) -> None:
        """Reject `units` input units at `offset`; `reason` is a short stable code."""
        data = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
        self._rows.append((offset, sys.intern(reason), detail[:_MAX_DETAIL], units, data[:MAX_RAW]))

    @property
    def units(self) -> int:
        """Input units rejected so far."""
        return sum(row[3] for row in self._rows)

    def table(self) -> pa.Table:
        """Return the rows in order of offset."""
        self._rows.sort(key=lambda row: row[0])
        columns = dict(
            zip(("offset", "reason", "detail", "units", "raw"), map(list, zip(*self._rows, strict=True)), strict=False)
        )
        if not self._rows:
            return telemetry.DEAD_LETTERS.empty_table()
        return build(
            telemetry.DEAD_LETTERS, len(self._rows), {"time": self._time_us, **columns, **origin(self._partition)}
        )
