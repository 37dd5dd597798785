"""Snapshots of stage state: how they become rows of the table `state`, and which one a restart takes."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import xxhash

import telemetry
from telemetry import CorruptState

_log = logging.getLogger(__name__)

_PARTITION = "partition:"


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
