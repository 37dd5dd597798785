"""What every source must do, whatever it reads from: reading and checks shared by the source tests."""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

import telemetry
from ingest import Source
from telemetry import Batch

KINDS = ("lines", "metrics", "spans", "dead_letters")
SCHEMAS = {
    "lines": telemetry.LINES,
    "metrics": telemetry.METRICS,
    "spans": telemetry.SPANS,
    "dead_letters": telemetry.DEAD_LETTERS,
}


def drain(source: Source, positions: Mapping[str, int] | None = None, polls: int = 400) -> list[Batch]:
    """Read a bounded source to its end as the pipeline does (seek whenever the partitions change), and close it."""
    known: set[str] = set()
    batches: list[Batch] = []
    for _ in range(polls):
        now = {partition.app_id for partition in source.partitions()}
        if fresh := now - known:
            source.seek({app: position for app, position in (positions or {}).items() if app in fresh})
        known = now
        if source.finished:
            source.close()
            return batches
        batches += source.poll(0.1, {})
    raise AssertionError(f"not finished after {polls} polls: {batches[-1:]}")


def rows(batches: list[Batch], kind: str) -> list[dict[str, Any]]:
    """All rows of one kind, as dictionaries, with where they come from."""
    tables = [getattr(batch, kind) for batch in batches]
    return pa.concat_tables([SCHEMAS[kind].empty_table(), *tables]).to_pylist()


def bodies(batches: list[Batch]) -> list[str]:
    """The text of all log lines."""
    return [row["body"] for row in rows(batches, "lines")]


def check_batches(batches: list[Batch]) -> None:
    """Schemas, accounting and positions of everything a source handed out."""
    reached: dict[str, int] = {}
    for batch in batches:
        for kind in KINDS:
            table = getattr(batch, kind)
            assert table.schema.equals(SCHEMAS[kind])
            table.validate(full=True)
            for name in ("offset",):
                if len(table):
                    low, high = pc.min(table[name]).as_py(), pc.max(table[name]).as_py()
                    assert batch.start <= low
                    assert high < batch.next
            for field in table.schema:
                assert field.nullable or table[field.name].null_count == 0, field.name
        units = pc.sum(batch.dead_letters["units"]).as_py() or 0
        assert batch.read == len(batch.lines) + len(batch.metrics) + len(batch.spans) + units + batch.filtered
        app = batch.partition.app_id
        assert batch.start == reached.get(app, batch.start), "batches of a partition follow each other without a gap"
        assert batch.next >= batch.start
        reached[app] = batch.next


def check_resume(make: Callable[[], Source], same_partitions: bool = True) -> None:
    """From any position a batch ends at, a new source gives exactly the records not seen before it."""
    first = make()
    whole = drain(first)
    check_batches(whole)
    for cut in range(0, len(whole), max(1, len(whole) // 4)):
        seen = whole[:cut]
        positions: dict[str, int] = {}
        for batch in seen:
            positions[batch.partition.app_id] = batch.next
        again = make()
        rest = drain(again, positions)
        check_batches(rest)
        for kind in KINDS:
            assert _order(rows(seen, kind) + rows(rest, kind)) == _order(rows(whole, kind)), (kind, cut)


def _order(found: list[dict[str, Any]]) -> list[str]:
    volatile = {"time", "observed_time"} if found and "reason" in found[0] else set()
    return sorted(str({k: v for k, v in row.items() if k not in volatile}) for row in found)
