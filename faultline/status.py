"""What the tables say about themselves: the account of every partition, how current it is, and what is open."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from telemetry import TABLES

if TYPE_CHECKING:
    from storage import Reader, Store

FATES = ("read", "stored", "joined", "dead_lettered", "filtered", "late")
_PARTITIONS = """
    select source, partition, read, stored, joined, dead_lettered, filtered, late, watermark, closed from ledger
    qualify row_number() over (partition by app_id order by next desc, watermark desc nulls last, closed desc) = 1
    order by source, partition, app_id
"""
_OPEN = "select count(*) as n from incidents where status <> 'resolved'"


@dataclass(frozen=True)
class Status:
    """One look at a store. `partitions` holds ledger rows with a `state`: "open", "ended" or "unbalanced"."""

    partitions: list[dict[str, Any]]
    rows: dict[str, int]
    open_incidents: int
    correlated_until: Any

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return asdict(self)


def read_status(store: "Store") -> Status:
    """Read the status from the tables; raises StoreError."""
    reader = store.reader()
    partitions = [row | {"state": _state(row)} for row in reader.query(_PARTITIONS).to_pylist()]
    rows = {name: int(_scalar(reader, f"select count(*) from {name}")) for name in TABLES}  # noqa: S608 - our names
    return Status(partitions, rows, int(_scalar(reader, _OPEN)), None)


def _state(row: dict[str, Any]) -> str:
    if row["read"] != row["stored"] + row["joined"] + row["dead_lettered"] + row["filtered"]:
        return "unbalanced"
    return "ended" if row["closed"] else "open"


def _scalar(reader: "Reader", query: str) -> Any:
    return reader.query(query).column(0)[0].as_py()
