"""Retention drops what is old or too much, and nothing that is needed."""

from storage import Retention
from storage._files import DataFile
from storage._retention import DAY_US, expired, newest

TABLES = ("logs", "metrics", "spans", "log_counts", "dead_letters", "anomalies", "incidents", "incident_events")
NOW = 100 * DAY_US


def files(**tables: list[float]) -> dict[str, list[DataFile]]:
    """Files of ten bytes that end on the given days."""
    every = (*TABLES, "suspects", "templates", "ledger", "state", "lineage")
    return {
        table: [DataFile(f"{table}-{n}", 0, round(day * DAY_US), 1, 10) for n, day in enumerate(tables.get(table, []))]
        for table in every
    }


def names(found: dict[str, list[DataFile]]) -> list[str]:
    return sorted(file.name for gone in found.values() for file in gone)


def test_days_are_counted_from_the_newest_row() -> None:
    there = files(logs=[1, 2, 20], metrics=[5, 16.5], log_counts=[5, 20], dead_letters=[20, 99], state=[1], ledger=[1])
    assert newest(there) == 20 * DAY_US
    gone = expired(there, Retention(14), NOW, None)
    assert names(gone) == ["dead_letters-0", "log_counts-0", "logs-0", "logs-1", "metrics-0"]
    assert not expired(there, Retention(None), NOW, None)
    assert not expired(files(anomalies=[1]), Retention(14), NOW, None)  # no telemetry, no clock


def test_open_incidents_keep_what_belongs_to_them() -> None:
    there = files(logs=[1, 50], incidents=[1, 3], anomalies=[2, 4], incident_events=[4], suspects=[1])
    gone = expired(there, Retention(14), NOW, 2 * DAY_US)
    assert names(gone) == ["incidents-0", "logs-0", "suspects-0"]


def test_size_takes_the_oldest_first_and_never_positions_or_state() -> None:
    there = files(logs=[1, 3], metrics=[2], log_counts=[4], state=[0], ledger=[0], templates=[0], lineage=[0])
    assert names(expired(there, Retention(None, 60), NOW, None)) == ["logs-0", "metrics-0"]
    assert names(expired(there, Retention(None, 1), NOW, None)) == ["log_counts-0", "logs-0", "logs-1", "metrics-0"]
    assert not expired(there, Retention(None, 80), NOW, None)


def test_size_counts_what_days_have_dropped() -> None:
    there = files(logs=[1, 30], metrics=[29])
    assert names(expired(there, Retention(14, 20), NOW, None)) == ["logs-0"]
