"""Retention drops what is old or too much, and nothing that is needed."""

from storage import Retention
from storage._files import DataFile
from storage._retention import DAY_US, Clock, expired

TABLES = ("logs", "metrics", "spans", "log_counts", "dead_letters", "anomalies", "incidents", "incident_events")
WALL = 100 * DAY_US


def files(**tables: list[float]) -> dict[str, list[DataFile]]:
    """Files of ten bytes that end on the given days."""
    every = (*TABLES, "suspects", "templates", "ledger", "state", "lineage")
    return {
        table: [DataFile(f"{table}-{n}", 0, round(day * DAY_US), 1, 10) for n, day in enumerate(tables.get(table, []))]
        for table in every
    }


def names(found: dict[str, list[DataFile]]) -> list[str]:
    return sorted(file.name for gone in found.values() for file in gone)


def clock(day: float | None, open_since: int | None = None) -> Clock:
    return Clock(None if day is None else round(day * DAY_US), WALL, open_since)


def test_days_are_counted_by_event_time() -> None:
    there = files(logs=[1, 2, 20], metrics=[5, 16.5], log_counts=[5, 20], dead_letters=[20, 99], state=[1], ledger=[1])
    gone = expired(there, Retention(14), clock(20))
    assert names(gone) == ["dead_letters-0", "log_counts-0", "logs-0", "logs-1", "metrics-0"]
    assert not expired(there, Retention(None), clock(20))
    assert not expired(files(logs=[1]), Retention(14), clock(None))  # no telemetry, no clock


def test_one_row_of_another_time_makes_nothing_else_old() -> None:
    assert not expired(files(logs=[1, 2, 90]), Retention(14), clock(2))


def test_open_incidents_keep_what_belongs_to_them() -> None:
    there = files(logs=[1, 50], incidents=[1, 3], anomalies=[2, 4], incident_events=[4], suspects=[1])
    gone = expired(there, Retention(14), clock(50, 2 * DAY_US))
    assert names(gone) == ["incidents-0", "logs-0", "suspects-0"]


def test_size_takes_the_oldest_first_and_never_positions_or_state() -> None:
    there = files(logs=[1, 3], metrics=[2], log_counts=[4], state=[0], ledger=[0], templates=[0], lineage=[0])
    assert names(expired(there, Retention(None, 60), clock(4))) == ["logs-0", "metrics-0"]
    assert names(expired(there, Retention(None, 1), clock(4))) == ["log_counts-0", "logs-0", "logs-1", "metrics-0"]
    assert not expired(there, Retention(None, 80), clock(4))


def test_size_counts_what_days_have_dropped() -> None:
    there = files(logs=[1, 30], metrics=[29])
    assert names(expired(there, Retention(14, 20), clock(30))) == ["logs-0"]
