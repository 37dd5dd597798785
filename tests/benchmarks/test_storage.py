"""The storage benchmark times what the dashboard asks."""

from collections.abc import Sequence
from typing import Any, cast

import pyarrow as pa

import telemetry
from benchmarks.storage import DAY_US, START, questions
from dashboard import _queries as queries
from storage import LogFilter, Reader

HOUR = queries.Range(START + DAY_US - 3_600_000_000, START + DAY_US)
DAY = queries.Range(START, START + DAY_US)


class Asked:
    """A reader that notes what it is asked."""

    def __init__(self) -> None:
        self.notes: list[tuple[object, ...]] = []

    def query(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        self.notes.append((" ".join(sql.split()), list(params)))
        return pa.table({"template_id": pa.array([7], pa.int64())})

    def latest(
        self, columns: Sequence[str], since_us: int, until_us: int, limit: int, wanted: LogFilter | None = None
    ) -> pa.Table:
        self.notes.append((list(columns), since_us, until_us, limit, wanted))
        return telemetry.LOGS.empty_table().select(columns)


def test_pages_send_what_the_benchmark_times() -> None:
    timed, sent = Asked(), Asked()
    for _, question in questions():
        question(cast(Reader, timed))
    queries.log_load(sent, DAY)
    queries.template_counts(sent, HOUR, LogFilter())
    queries.log_rows(sent, DAY, LogFilter(service="service-07"), 200)
    queries.log_rows(sent, HOUR, LogFilter(templates=(7,)), 200)
    assert len(sent.notes) == 4
    assert [note for note in sent.notes if note not in timed.notes] == []
