"""From a recorded case to the evidence a diagnosis needs, through the stages the live pipeline uses.

Nothing after the end of the evidence goes into anything: rows are cut off before they are parsed or counted.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from faultline import windows
from telemetry import METRICS, TIME, WINDOW_LOGS, WINDOW_METRICS, WINDOW_SPANS, UsageError

if TYPE_CHECKING:
    from ingest import Case
    from parsing import ParserSettings
    from rca import Evidence
    from telemetry import Parsed

_ALWAYS = -(2**62)
WIDTH_US = 10_000_000
AFTER_US = 300_000_000
AFTER_ROWS = 5
"""Without `until`, this long or this many metric rows after the onset are used, whichever is longer."""

Calls = dict[tuple[str, str], float]


def parse_time(text: str) -> int:
    """Return a time in microseconds since the epoch, UTC.

    `text`: ISO 8601 (UTC where it names no zone), or a number: seconds, milliseconds, microseconds or nanoseconds since
    the epoch by its magnitude, or relative seconds below 1e8, as in metric files. Raises UsageError.
    """
    try:
        return _from_number(float(text))
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{text!r} is no time: want ISO 8601, as 2026-01-05T08:00:00Z, or a number") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1_000_000)


def _from_number(number: float) -> int:
    size = abs(number)
    if not size < 1e20:
        raise UsageError(f"{number} is no time: want a number below 1e20")
    scale = 1e6 if size < 1e11 else 1e3 if size < 1e14 else 1 if size < 1e17 else 1e-3
    return round(number * scale)


@dataclass(frozen=True)
class _Logs:
    """Parsed log rows of a case; `canonical` maps a generalised template to the one it is counted under."""

    rows: pa.Table
    canonical: windows.Canonical


def evidence_of(
    case: "Case",
    parser: "ParserSettings",
    *,
    at: int | None = None,
    until: int | None = None,
    normal: pa.Table | None = None,
    graph: Calls | None = None,
) -> "Evidence":
    """Return the evidence of a case: onset `at` and end `until` in microseconds since the epoch, UTC.

    `normal`: more METRICS rows of normal operation. `graph`: calls that join those of the case.
    """
    from rca import Evidence

    last = _end(case.metrics["time"], at) if until is None else until
    metrics, spans = _before(case.metrics, last), _before(case.spans, last)
    logs = _parse(_before(case.lines, last), parser)
    log_windows, span_windows, calls = _cut(logs, spans, at)
    return Evidence(
        metrics=_window_metrics(metrics),
        logs=log_windows,
        spans=span_windows,
        calls=calls | case.calls | (graph or {}),
        templates=_messages(logs, 0 if at is None else at - 3 * WIDTH_US),
        onset=at,
        until=last,
        normal=None if normal is None else _window_metrics(normal),
        step_us=WIDTH_US,
    )


def _end(times: pa.ChunkedArray, at: int | None) -> int:
    """Return where the evidence ends when nobody says so."""
    distinct = np.unique(_us(times))
    if at is None:
        return int(distinct[-1])
    after = distinct[distinct > at][:AFTER_ROWS]
    return max(at + AFTER_US, int(after[-1]) if len(after) else at)


def _us(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return np.asarray(column.cast(pa.int64()).to_numpy())


def _before(table: pa.Table, last: int) -> pa.Table:
    """Return the rows up to `last`; log lines without a time go by when they were observed."""
    time = table["time"]
    if "observed_time" in table.column_names:
        time = pc.coalesce(time, table["observed_time"])
    return table.filter(pc.less_equal(time, pa.scalar(last, pa.int64()).cast(pa.timestamp("us")).cast(TIME)))


def _window_metrics(metrics: pa.Table) -> pa.Table:
    return metrics.select(WINDOW_METRICS.names).cast(WINDOW_METRICS)


def _parse(lines: pa.Table, settings: "ParserSettings") -> _Logs:
    from parsing import Parser

    parsed = Parser(settings).process(lines, len(lines), final=True)
    rows = pa.Table.from_batches([parsed.logs])
    return _Logs(rows.sort_by([("time", "ascending"), ("offset", "ascending")]), _canonical(parsed))


def _messages(logs: _Logs, since: int) -> dict[int, str]:
    """Return one message a template: its newest from `since` on, else its first.

    A parameter may name the service that failed, so a message says more than its template.
    """
    old = _us(logs.rows["time"]) < since
    found: dict[int, str] = {}
    for rows in (logs.rows.filter(pa.array(old))[::-1], logs.rows.filter(pa.array(~old))):
        for one, body in zip(rows["template_id"].to_pylist(), rows["body"].to_pylist(), strict=True):
            found[logs.canonical.get(one, (one, 0))[0]] = body
    return found


def _canonical(parsed: "Parsed") -> windows.Canonical:
    """Count a template that generalised under the id it had first, as the live pipeline does, but always."""
    found: dict[int, tuple[int, int]] = {}
    for rule in parsed.lineage.select(["from_id", "to_id"]).to_pylist():
        origin, _ = found.get(rule["from_id"], (rule["from_id"], _ALWAYS))
        found.setdefault(rule["to_id"], (origin, _ALWAYS))
    return found


def _cut(logs: _Logs, spans: pa.Table, at: int | None) -> tuple[pa.Table, pa.Table, Calls]:
    """Return WINDOW_LOGS and WINDOW_SPANS rows, in windows of which one begins at the onset, and the calls in spans."""
    ends = np.concatenate([_us(logs.rows["time"]), _us(spans["time"]) + spans["duration_us"].to_numpy()])
    calls: Calls = {}
    if not len(ends):
        return WINDOW_LOGS.empty_table(), WINDOW_SPANS.empty_table(), calls
    anchor = 0 if at is None else at
    start = anchor + (int(ends.min()) - anchor) // WIDTH_US * WIDTH_US
    end = anchor + ((int(ends.max()) - anchor) // WIDTH_US + 1) * WIDTH_US
    counts = windows.count_logs(logs.rows, start, WIDTH_US)
    rows = windows.Rows(counts, WINDOW_METRICS.empty_table(), spans, METRICS.empty_table())
    found = []
    for window, counts in windows.cut(rows, start, end, WIDTH_US, logs.canonical):
        found.append(window)
        for edge, count in counts.items():
            calls[edge] = calls.get(edge, 0.0) + count
    return pa.concat_tables(w.logs for w in found), pa.concat_tables(w.spans for w in found), calls
