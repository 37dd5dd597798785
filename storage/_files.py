"""Data files of a table: what the log says of those that are there, and how new ones are described to it."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pyarrow as pa

import telemetry

if TYPE_CHECKING:
    from deltalake import DeltaTable

TIME_COLUMNS = {
    **{name: "time" for name, schema in telemetry.TABLES.items() if "time" in schema.names},
    "templates": "last_seen",
    "log_counts": "minute",
    "incidents": "updated",
    "suspects": "ranked_at",
}
"""The column that places a table's rows in time: files are pruned by it, and merged ones sorted."""


DISTINCT = ("time", "observed_time", "offset", "line", "body", "params.list.element", "trace_id", "span_id", "value")
"""Columns in which values hardly repeat: a dictionary of them is built for nothing."""


@dataclass(frozen=True)
class DataFile:
    """One file of a table: its name inside it, the times it covers (us, both ends included), rows and bytes."""

    name: str
    first: int
    last: int
    rows: int
    size: int


@dataclass(frozen=True)
class NewFile:
    """A file on its way into a table; `stats` is JSON as Delta Lake wants it."""

    name: str
    size: int
    stats: str


class Files:
    """The data files of one table version, newest first: a query for the latest rows then stops looking early."""

    def __init__(self, path: str, actions: pa.Table, time_column: str) -> None:
        limits = np.iinfo(np.int64)
        actions = actions.take(np.argsort(-_times(actions, f"max.{time_column}", limits.max), kind="stable"))
        self.names: list[str] = actions["path"].to_pylist()
        self.paths = [f"{path}/{name}" for name in self.names]
        self._rows, self._sizes = actions["num_records"].to_pylist(), actions["size_bytes"].to_pylist()
        self._first = _times(actions, f"min.{time_column}", limits.min)
        # Statistics may be cut to milliseconds, so the end is taken a millisecond late.
        self._last = _times(actions, f"max.{time_column}", limits.max - 1000) + 1000

    @classmethod
    def of(cls, table: "DeltaTable", name: str, path: str) -> "Files":
        """Return the files of an open table."""
        return cls(path, pa.table(table.get_add_actions(flatten=True)), TIME_COLUMNS[name])

    @property
    def rows(self) -> int:
        """Rows in all files."""
        return sum(self._rows)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(self._sizes)

    def overlapping(self, since_us: int | None, until_us: int | None) -> list[str]:
        """Return paths of files that may hold rows with since_us <= time < until_us; None leaves a side open."""
        return [path for path, _ in self.ending(since_us, until_us)]

    def ending(self, since_us: int | None, until_us: int | None) -> list[tuple[str, int]]:
        """Return the same with the time of each file's last row (us), newest first."""
        keep = np.ones(len(self.paths), dtype=bool)
        if since_us is not None:
            keep &= self._last >= since_us
        if until_us is not None:
            keep &= self._first < until_us
        return [(self.paths[i], int(self._last[i])) for i in np.flatnonzero(keep)]

    def each(self) -> list[DataFile]:
        """Return the files one by one, oldest end first."""
        columns = zip(self.names, self._first.tolist(), self._last.tolist(), self._rows, self._sizes, strict=True)
        return sorted((DataFile(*values) for values in columns), key=lambda file: (file.last, file.name))


def written(path: str, table: str, rows: pa.Table) -> NewFile:
    """Write rows as they are into a new file of a table on a local disk."""
    import pyarrow.parquet as pq

    name, found = f"part-{uuid4()}.parquet", list[pq.FileMetaData]()
    with pq.ParquetWriter(
        f"{path}/{name}",
        rows.schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[leaf for field in rows.schema for leaf in _leaves(field) if leaf not in DISTINCT],
        write_statistics=_stated(table),
        write_page_checksum=True,
        metadata_collector=found,
    ) as writer:
        writer.write_table(rows)
    return NewFile(name, os.path.getsize(f"{path}/{name}"), stats(table, found[0]))


def _leaves(field: pa.Field) -> list[str]:
    """Return the names that Parquet gives to the columns of a field that is plain, a map or a list of plain ones."""
    if pa.types.is_map(field.type):
        return [f"{field.name}.key_value.key", f"{field.name}.key_value.value"]
    return [f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name]


def _stated(table: str) -> list[str]:
    """Return the columns of which Delta Lake's log states the least and the greatest value."""
    return [name for name in (TIME_COLUMNS[table], "offset", "position") if name in telemetry.TABLES[table].names]


def stats(table: str, metadata: Any) -> str:
    """Return what Delta Lake's log says of a file: number of rows, least and greatest time and position."""
    lows, highs = ({name: _extreme(metadata, name, side) for name in _stated(table)} for side in ("min", "max"))
    found = {"numRecords": metadata.num_rows, "minValues": _known(lows), "maxValues": _known(highs)}
    return json.dumps(found | {"nullCount": dict.fromkeys(_known(lows), 0)})


def restated(table: str, file: DataFile) -> NewFile:
    """Return a file as one that comes into the table, described by what the log said of it before."""
    column = TIME_COLUMNS[table]
    first, last = (datetime.fromtimestamp(us / 1e6, UTC) for us in (file.first, file.last))
    limits = {"minValues": _known({column: first}), "maxValues": _known({column: last}), "nullCount": {column: 0}}
    return NewFile(file.name, file.size, json.dumps({"numRecords": file.rows} | limits))


def _extreme(metadata: Any, column: str, side: str) -> Any:
    index = metadata.schema.names.index(column)
    groups = (metadata.row_group(i).column(index).statistics for i in range(metadata.num_row_groups))
    found = [getattr(group, side) for group in groups if group is not None and group.has_min_max]
    return (min if side == "min" else max)(found, default=None)


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, datetime) else value
        for name, value in values.items()
        if value is not None
    }


def _times(actions: pa.Table, column: str, unknown: int) -> Any:
    if column not in actions.column_names:
        return np.full(actions.num_rows, unknown, dtype=np.int64)
    values = actions[column].cast(telemetry.TIME).cast(pa.int64())
    return values.fill_null(unknown).to_numpy()


def total(files: Sequence[DataFile]) -> int:
    """Return the bytes of files."""
    return sum(file.size for file in files)
