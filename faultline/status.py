"""What the tables say about themselves: the account of every partition, how current it is, and what is open."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from faultline.lease import holder

if TYPE_CHECKING:
    from storage import Reader, Store

FATES = ("read", "stored", "joined", "dead_lettered", "filtered", "late", "ahead")
# Totals of a partition only grow, and so does its watermark: the newest row is the one with the most of each.
_PARTITIONS = """
    with newest as (select max(time) - interval 60 seconds as since from ledger)
    select any_value(source) as source, any_value("partition") as "partition", max(read) as read,
        max(stored) as stored, max(joined) as joined, max(dead_lettered) as dead_lettered, max(filtered) as filtered,
        max(late) as late, coalesce(max(ahead), 0) as ahead, max(watermark) as watermark, max(time) as committed,
        arg_max(closed, (next, closed)) as ended, arg_max(worker, time) as worker,
        case when count("end") > 0 then greatest(max("end") - max(next), 0) end as lag,
        (max(read) - coalesce(max(read) filter (time < since), 0)) / 60 as per_second
    from ledger, newest group by app_id order by source, "partition", app_id
"""
_REDACTED = """
    select kind, sum(redacted[kind])::bigint as count
    from (select redacted, unnest(map_keys(redacted)) as kind from ledger where redacted is not null
          qualify row_number() over (partition by app_id order by read desc, time desc) = 1)
    group by kind order by kind
"""
_OPEN = "select count(*) from incidents where status <> 'resolved'"
_DETECTED = "select make_timestamptz(max(position)) from raw_state where component = ?"


@dataclass(frozen=True)
class Status:
    """One look at a store. Times are UTC; `balanced`: read = stored + joined + dead_lettered + filtered everywhere.

    `per_second` of a partition: units read in the minute before the newest commit, over 60. `lag`: positions that its
    input was ahead at its last commit, None where its end is not known. `correlator`: the worker that detects.
    `free_bytes`: room left on the store's disk, None on an object store.
    `detected_until`: end of the last detection window whose state was saved; detection may be up to 10 min further.
    """

    partitions: list[dict[str, Any]]
    tables: list[dict[str, Any]]
    balanced: bool
    redacted: dict[str, int]  # secrets and personal data replaced, by kind
    open_incidents: int
    free_bytes: int | None
    detected_until: datetime | None
    correlator: str | None

    @property
    def workers(self) -> list[dict[str, Any]]:
        """Who committed last for which partitions: name, number of partitions, lag, units a second, last commit."""
        owned: dict[str, list[dict[str, Any]]] = {}
        for row in self.partitions:
            owned.setdefault(row["worker"] or "unknown", []).append(row)
        return [_worker(name, owned[name]) for name in sorted(owned)]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {**asdict(self), "workers": self.workers}


def read_status(store: "Store") -> Status:
    """Read the status from the tables; raises StoreError."""
    from storage import CORRELATOR

    with store.reader() as reader:
        partitions = reader.query(_PARTITIONS).to_pylist()
        return Status(
            partitions=partitions,
            tables=[vars(table) for table in store.describe()],
            balanced=all(_balanced(row) for row in partitions),
            redacted={row["kind"]: row["count"] for row in reader.query(_REDACTED).to_pylist()},
            open_incidents=int(_scalar(reader, _OPEN)),
            free_bytes=store.free_bytes(),
            detected_until=_scalar(reader, _DETECTED, CORRELATOR),
            correlator=holder(store),
        )


def _worker(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    lags = [row["lag"] for row in rows if row["lag"] is not None]
    return {
        "worker": name,
        "partitions": len(rows),
        "lag": sum(lags) if lags else None,
        "per_second": sum(row["per_second"] for row in rows),
        "dead_lettered": sum(row["dead_lettered"] for row in rows),
        "committed": max(row["committed"] for row in rows),
    }


def _balanced(row: dict[str, Any]) -> bool:
    return bool(row["read"] == row["stored"] + row["joined"] + row["dead_lettered"] + row["filtered"])


def _scalar(reader: "Reader", query: str, *params: Any) -> Any:
    return reader.query(query, params).column(0)[0].as_py()
