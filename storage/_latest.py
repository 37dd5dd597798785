"""The newest log rows that match: chosen as they are stored, with lineage applied to those chosen.

The view `logs` applies lineage to every row before any is chosen. Here that order holds only where an asked template is
part of a split, for rows of the ids that lead to it: which part a row belongs to follows from its parameters.
"""

# ruff: noqa: S608 - what is formatted into the SQL is our own; values are parameters

from dataclasses import dataclass
from typing import Any

from storage import _views
from storage._edits import Meaning

_NEWEST = 'ORDER BY time DESC, source, "partition", "offset" DESC, line DESC'


@dataclass(frozen=True)
class LogFilter:
    """Which log records: a text to find in the body (case does not matter), a service, a least severity number, and
    templates, by their ids as they are today."""

    text: str = ""
    service: str | None = None
    severity: int = 0
    templates: tuple[int, ...] | None = None


EVERYTHING = LogFilter()


@dataclass(frozen=True)
class Asked:
    """Records with since_us <= time < until_us (us, UTC), the newest `limit` of those wanted."""

    since_us: int
    until_us: int
    limit: int
    wanted: LogFilter


def latest_rows(source: str, asked: Asked, meaning: Meaning) -> tuple[str, list[Any]]:
    """Return a FROM item with the rows of the FROM item `source` that are wanted, newest first, and its parameters."""
    conditions, params = _conditions(asked)
    templates = frozenset(asked.wanted.templates or ())
    stored, parted = _stored(templates, meaning)
    if templates:
        conditions.append("template_id IN (FROM unnest(?::BIGINT[]))")
        params.append(sorted(stored))
    rows = f"SELECT * FROM {source} WHERE {' AND '.join(conditions)}"
    limit = f"{_NEWEST} LIMIT ?"
    if not meaning.rules:
        return f"({rows} {limit})", [*params, asked.limit]
    if not parted:
        shown = _views.with_lineage("logs", f"({rows} {limit})", bool(meaning.splits))
        return f"({shown} {_NEWEST})", [*params, asked.limit]
    shown = _views.with_lineage("logs", f"({rows})", True)
    of_these = "list_contains(?::BIGINT[], template_id)"
    return f"(FROM ({shown}) WHERE {of_these} {limit})", [*params, sorted(templates), asked.limit]


def _conditions(asked: Asked) -> tuple[list[str], list[Any]]:
    """Return what must hold of a row, whatever its template means today, and the values. No more than is asked: each
    condition has its columns decoded."""
    conditions = ["time >= make_timestamptz(?::BIGINT)", "time < make_timestamptz(?::BIGINT)"]
    params: list[Any] = [asked.since_us, asked.until_us]
    for condition, value in (
        ("service = ?", asked.wanted.service),
        ("severity_number >= ?", asked.wanted.severity or None),
        ("contains(lower(body), lower(?))", asked.wanted.text or None),
    ):
        if value is not None:
            conditions.append(condition)
            params.append(value)
    return conditions, params


def _stored(wanted: frozenset[int], meaning: Meaning) -> tuple[set[int], bool]:
    """Return the ids that rows of the wanted templates may be stored under, and whether one of these is split."""
    leading = {rule.from_id for rule in meaning.rules if rule.to_id in wanted}
    parted = {split.from_id for split in meaning.splits if split.from_id in leading or wanted & split.ends}
    unmoved = wanted.difference(rule.from_id for rule in meaning.rules)
    return leading | parted | unmoved, bool(parted)
