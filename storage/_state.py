"""Snapshots of stage state: how they become rows of the table `state`, and which one a restart takes."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import xxhash

import telemetry
from storage._location import Location
from telemetry import CorruptState

_log = logging.getLogger(__name__)

_PARTITION = "partition:"
_TRIED = 3
"""Snapshots that are looked at, the newest first: one may fail its checksum."""


@dataclass(frozen=True)
class Snapshot:
    """State of one component after everything below `position`.

    `component` is "partition:<app id>" or the app id itself ("correlator").
    """

    component: str
    position: int
    format_version: int
    payload: bytes

    @property
    def app_id(self) -> str:
        """The app id whose position the snapshot belongs to."""
        return self.component.removeprefix(_PARTITION)


def to_table(snapshots: Sequence[Snapshot]) -> pa.Table:
    """Return snapshots as rows of the table `state`."""
    now = datetime.now(UTC)
    rows = [
        {
            "component": snapshot.component,
            "position": snapshot.position,
            "format_version": snapshot.format_version,
            "checksum": xxhash.xxh3_128_hexdigest(snapshot.payload),
            "payload": snapshot.payload,
            "time": now,
        }
        for snapshot in snapshots
    ]
    return pa.Table.from_pylist(rows, schema=telemetry.STATE)


def newest(location: Location, files: Sequence[tuple[str, int]], component: str, ceiling: int) -> pa.Table:
    """Return the newest rows for a component at or below a position, the newest first.

    `files`: paths and the highest position each may hold, the highest first; most of them need not be looked into.
    Raises what reading them raises.
    """
    found: list[tuple[int, int, str, int]] = []
    for path, most in files:
        if len(found) == _TRIED and most < found[-1][0]:
            break
        found = sorted([*found, *_places(location, path, component, ceiling)], reverse=True)[:_TRIED]
    rows = [_read(location, path, telemetry.STATE.names).slice(row, 1) for _, _, path, row in found]
    return pa.concat_tables([telemetry.STATE.empty_table(), *(row.cast(telemetry.STATE) for row in rows)])


def _places(location: Location, path: str, component: str, ceiling: int) -> list[tuple[int, int, str, int]]:
    """Return position, time, file and row of the snapshots of a component at or below a position."""
    table = _read(location, path, ["component", "position", "time"])
    columns = table["component"], table["position"], table["time"].cast(pa.int64())
    rows = enumerate(zip(*(column.to_pylist() for column in columns), strict=True))
    return [(at, time, path, row) for row, (of, at, time) in rows if of == component and at <= ceiling]


def _read(location: Location, path: str, columns: Sequence[str]) -> pa.Table:
    import pyarrow.parquet as pq

    with location.read(path) as source, pq.ParquetFile(source) as file:
        # No threads of Arrow's that may still stop while the process ends: see `Location.read`.
        return file.read(list(columns), use_threads=False).select(columns)


def choose(rows: pa.Table, component: str, format_version: int) -> Snapshot | None:
    """Return the first intact snapshot among rows of `state` ordered newest first; None where there are no rows.

    Raises CorruptState if none is intact, or if the first intact one has another format version.
    """
    for row in rows.to_pylist():
        if xxhash.xxh3_128_hexdigest(row["payload"]) != row["checksum"]:
            _log.error("snapshot of %s at position %d fails its checksum: trying an older", component, row["position"])
            continue
        if row["format_version"] != format_version:
            raise CorruptState(
                f"snapshot of {component} at position {row['position']} has format version {row['format_version']}; "
                f"this program reads version {format_version}"
            )
        return Snapshot(component, row["position"], format_version, row["payload"])
    if rows.num_rows:
        raise CorruptState(f"all {rows.num_rows} snapshots of {component} fail their checksum")
    return None
