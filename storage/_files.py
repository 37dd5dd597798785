"""Data files of a table: what the log says of those that are there, and how new ones are described to it."""

import json
import os
from collections.abc import Iterable, Sequence
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


_ANY = int(np.iinfo(np.int64).max)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DISTINCT = ("time", "observed_time", "offset", "line", "body", "params.list.element", "trace_id", "span_id", "value")
"""Columns in which values hardly repeat: a dictionary of them is built for nothing."""
ROW_GROUP = 32_768
"""Rows of a row group of an appended file, the most a query for the latest rows decodes for nothing."""


@dataclass(frozen=True)
class DataFile:
    """One file of a table: its name inside it, the times it covers (us, both ends included), rows, bytes, and the
    highest position of its rows where the table has positions, which is not known of every file.
    """

    name: str
    first: int
    last: int
    rows: int
    size: int
    furthest: int = _ANY


@dataclass(frozen=True)
class NewFile:
    """A file on its way into a table; `stats` is JSON as Delta Lake wants it."""

    name: str
    size: int
    stats: str


class Files:
    """The data files of one table version, newest first: a query for the latest rows then stops looking early."""

    def __init__(self, path: str, files: Iterable[DataFile]) -> None:
        self._each = sorted(files, key=lambda file: file.last, reverse=True)
        self.names = [file.name for file in self._each]
        self.paths = [f"{path}/{name}" for name in self.names]
        self._first = np.array([file.first for file in self._each], dtype=np.int64)
        self._last = np.array([file.last for file in self._each], dtype=np.int64)

    @classmethod
    def of(cls, table: "DeltaTable", name: str, path: str) -> "Files":
        """Return the files of an open table."""
        actions = pa.table(table.get_add_actions(flatten=True))
        first, last = (_times(actions, f"{side}.{TIME_COLUMNS[name]}", side) for side in ("min", "max"))
        names, rows, sizes = (actions[column].to_pylist() for column in ("path", "num_records", "size_bytes"))
        return cls(path, map(DataFile, names, first, last, rows, sizes, _furthest(actions)))

    @property
    def rows(self) -> int:
        """Rows in all files."""
        return sum(file.rows for file in self._each)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return total(self._each)

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

    def furthest(self) -> list[tuple[str, int]]:
        """Return paths of a table with positions, and the highest that each file may hold, the highest first."""
        pairs = zip(self.paths, (file.furthest for file in self._each), strict=True)
        return sorted(pairs, key=lambda pair: pair[1], reverse=True)

    def each(self) -> list[DataFile]:
        """Return the files one by one, oldest end first."""
        return sorted(self._each, key=lambda file: (file.last, file.name))


def added(table: str, action: dict[str, Any]) -> DataFile:
    """Return the file that an `add` action of a table's log brings."""
    found = json.loads(action["stats"])
    column = TIME_COLUMNS[table]
    first, last = (found.get(f"{side}Values", {}).get(column) for side in ("min", "max"))
    start, end = _bound(first and _us(first), "min"), _bound(last and _us(last), "max")
    furthest = found.get("maxValues", {}).get("position", _ANY)
    return DataFile(action["path"], start, end, found["numRecords"], action["size"], furthest)


def written(path: str, table: str, rows: pa.Table) -> NewFile:
    """Write rows, in the order of `_latest_first`, into a new file of a table on a local disk."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    name, stated = f"part-{uuid4()}.parquet", _stated(table)
    pq.write_table(
        _latest_first(rows),
        f"{path}/{name}",
        row_group_size=ROW_GROUP,
        compression="zstd",
        compression_level=1,
        use_dictionary=[leaf for field in rows.schema for leaf in _leaves(field) if leaf not in DISTINCT],
        write_statistics=stated,
        write_page_checksum=True,
    )
    limits = {column: pc.min_max(rows[column]).as_py() for column in stated}
    lows, highs = ({column: found[side] for column, found in limits.items()} for side in ("min", "max"))
    return NewFile(name, os.path.getsize(f"{path}/{name}"), _stats(len(rows), lows, highs))


def _latest_first(rows: pa.Table) -> pa.Table:
    """Return the rows, which come as they happened or nearly so, with those of the last row group before the others.

    DuckDB reads row groups in their order and skips what is older than the latest rows it has found.
    """
    ends = range(len(rows), 0, -ROW_GROUP)
    return pa.concat_tables(rows.slice(max(end - ROW_GROUP, 0), min(end, ROW_GROUP)) for end in ends) if ends else rows


def _leaves(field: pa.Field) -> list[str]:
    """Return the names that Parquet gives to the columns of a field that is plain, a map or a list of plain ones."""
    if pa.types.is_map(field.type):
        return [f"{field.name}.key_value.key", f"{field.name}.key_value.value"]
    return [f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name]


def _stated(table: str) -> list[str]:
    """Return the columns of which Delta Lake's log states the least and the greatest value."""
    return [name for name in (TIME_COLUMNS[table], "offset", "position") if name in telemetry.TABLES[table].names]


def stats(table: str, metadata: Any) -> str:
    """Return what Delta Lake's log says of a file, by its footer."""
    lows, highs = ({name: _extreme(metadata, name, side) for name in _stated(table)} for side in ("min", "max"))
    return _stats(metadata.num_rows, lows, highs)


def _stats(rows: int, lows: dict[str, Any], highs: dict[str, Any]) -> str:
    found = {"numRecords": rows, "minValues": _known(lows), "maxValues": _known(highs)}
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


def _times(actions: pa.Table, column: str, side: str) -> list[int]:
    if column not in actions.column_names:
        return [_bound(None, side)] * actions.num_rows
    return [_bound(us, side) for us in actions[column].cast(telemetry.TIME).cast(pa.int64()).to_pylist()]


def _furthest(actions: pa.Table) -> list[int]:
    if "max.position" not in actions.column_names:
        return [_ANY] * actions.num_rows
    positions: list[int] = actions["max.position"].cast(pa.int64()).fill_null(_ANY).to_pylist()
    return positions


def _bound(us: int | None, side: str) -> int:
    """Return where the times of a file begin or end; statistics may be cut to milliseconds, so the end comes late."""
    limits = np.iinfo(np.int64)
    if us is None:
        return limits.min if side == "min" else limits.max
    return us if side == "min" else us + 1000


def _us(text: str) -> int:
    since = datetime.fromisoformat(text) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def total(files: Sequence[DataFile]) -> int:
    """Return the bytes of files."""
    return sum(file.size for file in files)
