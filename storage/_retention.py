"""Retention: which files are too old, or too much, to be kept.

Whole files go, so a row may outlive its days by what its file spans: a day at most. The clock is the highest watermark
in the ledger, not the wall clock: logs of last year that are read in today are not deleted today. Nor is it the newest
row: one record with a wrong time, or none, must not make all others too old.

Nothing here touches positions, saved state, templates in use, lineage, or incidents that are still open and what
belongs to them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storage._files import DataFile, total

DAY_US = 86_400_000_000
_FINDINGS = ("anomalies", "incidents", "incident_events", "suspects")
_PRUNED = ("logs", "metrics", "spans", "log_counts", "dead_letters", *_FINDINGS)


@dataclass(frozen=True)
class Retention:
    """How long rows are kept: `days` of event time (None: for ever), and at most `max_bytes` in all tables together."""

    days: float | None = 14.0
    max_bytes: int | None = None


@dataclass(frozen=True)
class Clock:
    """What time it is (us): `event` by the highest watermark (None: there is none), `wall` by this machine.

    `open_since`: onset of the oldest open incident.
    """

    event: int | None
    wall: int
    open_since: int | None = None


def expired(files: Mapping[str, Sequence[DataFile]], retention: Retention, clock: Clock) -> dict[str, list[DataFile]]:
    """Return the files to drop, by table."""
    dropped = {table: list(_too_old(table, files, retention, clock)) for table in _PRUNED}
    if retention.max_bytes is not None:
        kept = {table: [file for file in files[table] if file not in dropped.get(table, ())] for table in files}
        for table, file in _too_much(kept, retention.max_bytes, clock.open_since):
            dropped[table].append(file)
    return {table: gone for table, gone in dropped.items() if gone}


def _too_old(
    table: str, files: Mapping[str, Sequence[DataFile]], retention: Retention, clock: Clock
) -> Sequence[DataFile]:
    now = clock.wall if table == "dead_letters" else clock.event
    if retention.days is None or now is None:
        return ()
    cutoff = now - round(retention.days * DAY_US)
    return [file for file in files[table] if file.last < _protected(table, cutoff, clock.open_since)]


def _protected(table: str, cutoff: int, open_since: int | None) -> int:
    return min(cutoff, open_since) if table in _FINDINGS and open_since is not None else cutoff


def _too_much(
    files: Mapping[str, Sequence[DataFile]], max_bytes: int, open_since: int | None
) -> Sequence[tuple[str, DataFile]]:
    """Return the oldest files that must go for the rest to fit."""
    excess = sum(total(kept) for kept in files.values()) - max_bytes
    end = max((file.last for kept in files.values() for file in kept), default=0) + 1
    candidates = [(t, file) for t in _PRUNED for file in files[t] if file.last < _protected(t, end, open_since)]
    gone = []
    for table, file in sorted(candidates, key=lambda item: (item[1].last, item[0], item[1].name)):
        if excess <= 0:
            break
        gone.append((table, file))
        excess -= file.size
    return gone
