"""What the pages ask the store: pure functions from a reader to small Arrow tables or plain values.

Every query is bounded by a LIMIT or a GROUP BY over time steps, takes values only as parameters, and counts time
in microseconds since the epoch (UTC); columns named `t` are milliseconds since the epoch, as charts want them.
"""

# ruff: noqa: S608 - what is formatted into the SQL are constants of this module; values are parameters

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

import telemetry
from storage import LogFilter

MINUTE_US = 60_000_000
MAX_ROWS = 500
"""Most rows one table on a page shows."""
MAX_POINTS = 50_000
"""Most points of one series that are read; a chart thins them further."""
_FUTURE_US = 10 * MINUTE_US  # rows further ahead than this have a broken clock and do not move "newest"
_ERROR_LOGS = "error_logs"  # detection's signal of a burst of errors
_SPAN_DURATION = ("span duration p95, ms", "quantile_cont(duration_us, 0.95) / 1000")
_SPAN_FAILED = ("failed spans in steps of 10 s", "count(*) FILTER (status = 'error')")
_SPAN_SERIES = {
    "duration": _SPAN_DURATION,
    "duration_p95_us": _SPAN_DURATION,
    "errors": _SPAN_FAILED,
    "error_origins": _SPAN_FAILED,
    "passed_on": _SPAN_FAILED,
    "calls_received": ("spans in steps of 10 s", "count(*)"),
}
_LOG_COLUMNS = ["time", "service", "severity_number", "severity_text", "body", "component", "params", "trace_id"]
_LOG_COLUMNS += ["template_id", "source", "offset"]
# Every template id there ever was, as 16 hex digits, with the text of what it has become; its own where it was split
# and nothing is left of it.
_TEXTS = """texts AS (
            SELECT lpad(lower(to_hex(id)), 16, '0') AS signal, any_value(coalesce(template, own)) AS text
            FROM (SELECT template_id AS id, template_id AS present FROM templates
                  UNION SELECT from_id, to_id FROM lineage_map)
            LEFT JOIN templates ON template_id = present
            LEFT JOIN (SELECT template_id AS id, min(template) AS own FROM raw_templates GROUP BY 1) USING (id)
            WHERE coalesce(template, own) IS NOT NULL GROUP BY 1)"""
_IN_RANGE = "{} >= make_timestamptz(?::BIGINT) AND {} < make_timestamptz(?::BIGINT)"


class Reads(Protocol):
    """The part of `storage.Reader` that pages use."""

    def query(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        """Run one SELECT over the views named as the tables."""

    def latest(
        self, columns: Sequence[str], since_us: int, until_us: int, limit: int, wanted: LogFilter = ...
    ) -> pa.Table:
        """Return the newest log rows that match, newest first."""


@dataclass(frozen=True)
class Range:
    """Event times since <= t < until (microseconds, UTC), and the width of one chart step."""

    since: int
    until: int

    @property
    def step(self) -> int:
        """Chart step in microseconds: a whole number of minutes that gives at most about 240 steps."""
        return max(1, -(-(self.until - self.since) // (240 * MINUTE_US))) * MINUTE_US


def _within(column: str) -> str:
    return _IN_RANGE.format(column, column)


def _one(table: pa.Table) -> dict[str, Any]:
    rows: list[dict[str, Any]] = table.slice(0, 1).to_pylist()
    return rows[0] if rows else {}


def _rows(reader: Reads, sql: str, params: Sequence[Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = reader.query(sql, params).to_pylist()
    return rows


def newest(reader: Reads, now_us: int) -> int | None:
    """Return the newest event time in the store, or None where there is none. Broken clocks ahead are left out, and
    rows that are stored under the time they came, long after what the watermarks confirm."""
    row = _one(
        reader.query(
            """
            WITH ends AS (
                SELECT make_timestamptz($1::BIGINT) AS most, max(watermark) AS mark FROM ledger
                WHERE watermark <= make_timestamptz($1::BIGINT)),
            times AS (
                SELECT max(minute) AS t FROM log_counts, ends
                WHERE minute <= most AND minute <= coalesce(mark + INTERVAL 1 HOUR, most)
                UNION ALL SELECT mark FROM ends
                UNION ALL SELECT max(updated) FROM incidents, ends WHERE updated <= most)
            SELECT epoch_us(max(t)) AS newest FROM times
            """,
            [now_us + _FUTURE_US],
        )
    )
    return row.get("newest")


def oldest(reader: Reads) -> int | None:
    """Return the oldest minute that has logs, or where there are none, the oldest sign of an incident."""
    row = _one(
        reader.query(
            """
            SELECT min(t) AS oldest FROM (
                SELECT min(epoch_us(minute)) AS t FROM log_counts UNION ALL SELECT min(epoch_us(onset)) FROM incidents)
            """
        )
    )
    return row.get("oldest")


def log_load(reader: Reads, span: Range) -> pa.Table:
    """Log records a step, from the per-minute counts: t, info, warn, error."""
    return reader.query(
        f"""
        SELECT epoch_us(minute) // ? * ? // 1000 AS t,
               sum(count) FILTER (coalesce(severity_number, 0) < 13)::BIGINT AS info,
               sum(count) FILTER (severity_number BETWEEN 13 AND 16)::BIGINT AS warn,
               sum(count) FILTER (severity_number >= 17)::BIGINT AS error
        FROM log_counts WHERE {_within("minute")} GROUP BY 1 ORDER BY 1 LIMIT 2000
        """,
        [span.step, span.step, span.since, span.until],
    )


def anomaly_load(reader: Reads, span: Range) -> pa.Table:
    """Anomalies a step: t, metric, log, span."""
    return reader.query(
        f"""
        SELECT epoch_us(time) // ? * ? // 1000 AS t, count(*) FILTER (kind = 'metric') AS metric,
               count(*) FILTER (kind = 'log') AS log, count(*) FILTER (kind = 'span') AS span
        FROM anomalies WHERE {_within("time")} GROUP BY 1 ORDER BY 1 LIMIT 2000
        """,
        [span.step, span.step, span.since, span.until],
    )


def services(reader: Reads, span: Range) -> pa.Table:
    """Services in trouble first: service, records, errors, anomalies, worst (highest score over threshold)."""
    return reader.query(
        f"""
        WITH logged AS (
            SELECT service, sum(count)::BIGINT AS records, sum(count) FILTER (severity_number >= 17)::BIGINT AS errors
            FROM log_counts WHERE {_within("minute")} GROUP BY 1),
        odd AS (
            SELECT service, count(*) AS anomalies, max(score / nullif(threshold, 0)) AS worst
            FROM anomalies WHERE {_within("time")} GROUP BY 1)
        SELECT service, coalesce(anomalies, 0) AS anomalies, worst,
               coalesce(errors, 0) AS errors, coalesce(records, 0) AS records
        FROM logged FULL JOIN odd USING (service) ORDER BY anomalies DESC, errors DESC, service LIMIT {MAX_ROWS}
        """,
        [span.since, span.until] * 2,
    )


def dead_letters(reader: Reads) -> int:
    """Input units that could not be decoded, over the whole store."""
    row = _one(
        reader.query(
            """
            SELECT sum(dead)::BIGINT AS dead
            FROM (SELECT max_by(dead_lettered, next) AS dead FROM ledger GROUP BY app_id)
            """
        )
    )
    return row.get("dead") or 0


def incidents(reader: Reads, limit: int = MAX_ROWS) -> list[dict[str, Any]]:
    """Incidents as they stand with their first suspect: unresolved first, critical before warning, newest first."""
    return _rows(
        reader,
        f"""
        WITH {_TEXTS},
        first AS (
            SELECT incident_id, service, coalesce(text, signal) AS signal, share, role
            FROM suspects LEFT JOIN texts USING (signal) WHERE rank = 1)
        SELECT id, epoch_us(opened) AS opened, epoch_us(updated) AS updated, epoch_us(onset) AS onset, status,
               severity, services, title, verdict, confidence, service AS suspect, signal, share, role
        FROM incidents LEFT JOIN first ON first.incident_id = id
        ORDER BY status = 'resolved', severity <> 'critical', opened DESC, id LIMIT ?
        """,
        [limit],
    )


def incident(reader: Reads, incident_id: str) -> dict[str, Any] | None:
    """One incident as it stands, or None: the columns of `incidents`, times in microseconds."""
    row = _one(
        reader.query(
            """
            SELECT id, epoch_us(opened) AS opened, epoch_us(updated) AS updated, epoch_us(onset) AS onset, status,
                   severity, services, title, verdict, confidence
            FROM incidents WHERE id = ? LIMIT 1
            """,
            [incident_id],
        )
    )
    return row or None


def events(reader: Reads, incident_id: str) -> list[dict[str, Any]]:
    """What happened to an incident, oldest first: time (us), kind, actor, detail."""
    return _rows(
        reader,
        """
        SELECT epoch_us(time) AS time, kind, actor, detail FROM incident_events
        WHERE incident_id = ? ORDER BY seq, time LIMIT ?
        """,
        [incident_id, MAX_ROWS],
    )


def suspects(reader: Reads, incident_id: str) -> list[dict[str, Any]]:
    """The present ranking of an incident, most suspect first: the columns of `suspects`, ranked_at in microseconds."""
    return _rows(
        reader,
        """
        SELECT epoch_us(ranked_at) AS ranked_at, rank, service, signal, score, share, role, evidence, path, method
        FROM suspects WHERE incident_id = ? ORDER BY rank LIMIT ?
        """,
        [incident_id, MAX_ROWS],
    )


def anomalies(reader: Reads, incident_id: str, limit: int = 2000) -> pa.Table:
    """Anomalies of an incident, oldest first: t, service, kind, signal, name, score, threshold, ratio, explanation.

    `name` is the signal in words: for a log anomaly the template's text.
    """
    return reader.query(
        f"""
        WITH {_TEXTS}
        SELECT epoch_ms(time) AS t, service, kind, signal, coalesce(text, signal) AS name, score, threshold,
               score / nullif(threshold, 0) AS ratio, explanation
        FROM anomalies LEFT JOIN texts USING (signal)
        WHERE incident_id = ? ORDER BY time, service, signal LIMIT ?
        """,
        [incident_id, limit],
    )


def calls(reader: Reads, span: Range, limit: int = 400) -> list[dict[str, Any]]:
    """Calls between services in a range, most frequent first: caller, callee, count, errors."""
    return _rows(
        reader,
        f"""
        WITH part AS (SELECT trace_id, span_id, parent_span_id, service, status FROM spans WHERE {_within("time")})
        SELECT parent.service AS caller, child.service AS callee, count(*) AS count,
               count(*) FILTER (child.status = 'error') AS errors
        FROM part AS child JOIN part AS parent
            ON child.trace_id = parent.trace_id AND child.parent_span_id = parent.span_id
        WHERE parent.service <> child.service
        GROUP BY 1, 2 ORDER BY count DESC, 1, 2 LIMIT ?
        """,
        [span.since, span.until, limit],
    )


def series_title(kind: str, signal: str) -> str | None:
    """Return in words what `signal_series` gives for a signal; None where nothing stored shows it faithfully.

    Own time and time on the way of spans, for example, are differences between spans that no table holds.
    """
    if kind == "metric":
        return signal
    if kind == "log":
        return (
            "error records a minute" if signal == _ERROR_LOGS else "records a minute" if is_template(signal) else None
        )
    return _SPAN_SERIES[signal][0] if kind == "span" and signal in _SPAN_SERIES else None


def is_template(signal: str) -> bool:
    """Say whether a log signal is a template id: 16 hex digits."""
    try:
        return len(signal) == 16 and telemetry.parse_id(signal) >= 0
    except ValueError:
        return False


def signal_series(reader: Reads, service: str, kind: str, signal: str, span: Range) -> pa.Table:
    """One signal of a service over a range: t, value, in order of time; empty where `series_title` is None.

    A template that the service itself did not log in the range is counted over all services: callers name whom
    they miss.
    """
    if series_title(kind, signal) is None:
        return pa.table({"t": pa.array([], pa.int64()), "value": pa.array([], pa.float64())})
    if kind == "metric":
        return _metric_series(reader, service, signal, span)
    if kind == "span":
        return _span_series(reader, service, signal, span)
    if signal == _ERROR_LOGS:
        return _count_series(reader, "severity_number >= 17 AND service = ?", [service], span)
    present = current_templates(reader, telemetry.parse_id(signal))
    own = _count_series(reader, "list_contains(?::BIGINT[], template_id) AND service = ?", [present, service], span)
    if any(own.column("value").to_pylist()):
        return own
    return _count_series(reader, "list_contains(?::BIGINT[], template_id)", [present], span)


def current_templates(reader: Reads, template: int) -> list[int]:
    """Return what a template id has become by generalising or editing: several ids where it was split.

    The id itself where nothing changed it.
    """
    found = reader.query(
        """
        SELECT to_id FROM lineage_map WHERE from_id = ? UNION SELECT to_id FROM lineage_routes WHERE from_id = ?
        ORDER BY 1 LIMIT 1000
        """,
        [template, template],
    )
    return found.column("to_id").to_pylist() or [template]


def _metric_series(reader: Reads, service: str, metric: str, span: Range) -> pa.Table:
    """The values, or what counters grow by a second: as detection saw them."""
    return reader.query(
        f"""
        WITH points AS (
            SELECT time, value, cumulative IS TRUE AS counts, value - lag(value) OVER series AS growth,
                epoch(time - lag(time) OVER series) AS seconds
            FROM metrics WHERE service = ? AND metric = ? AND {_within("time")}
            WINDOW series AS (PARTITION BY CASE WHEN cumulative THEN attributes::VARCHAR END ORDER BY time))
        SELECT epoch_ms(time) AS t, CASE WHEN counts
            THEN sum(CASE WHEN growth < 0 THEN value ELSE growth END / seconds) ELSE avg(value) END AS value
        FROM points WHERE NOT counts OR seconds > 0 GROUP BY t, counts ORDER BY t LIMIT {MAX_POINTS}
        """,
        [service, metric, span.since, span.until],
    )


def _count_series(reader: Reads, condition: str, params: list[Any], span: Range) -> pa.Table:
    """Log records a minute that meet a condition of this module, 0 for minutes without any."""
    return reader.query(
        f"""
        WITH counted AS (
            SELECT epoch_us(minute) AS minute, sum(count)::DOUBLE AS value FROM log_counts
            WHERE {condition} AND {_within("minute")} GROUP BY 1)
        SELECT step // 1000 AS t, coalesce(value, 0) AS value
        FROM range(?::BIGINT, ?::BIGINT, {MINUTE_US}) AS steps(step) LEFT JOIN counted ON minute = step
        ORDER BY 1 LIMIT {MAX_POINTS}
        """,
        [*params, span.since, span.until, span.since // MINUTE_US * MINUTE_US, span.until],
    )


def _span_series(reader: Reads, service: str, signal: str, span: Range) -> pa.Table:
    value = _SPAN_SERIES[signal][1]
    return reader.query(
        f"""
        SELECT epoch_us(time) // 10000000 * 10000 AS t, ({value})::DOUBLE AS value FROM spans
        WHERE service = ? AND {_within("time")} GROUP BY 1 ORDER BY 1 LIMIT {MAX_POINTS}
        """,
        [service, span.since, span.until],
    )


def template_counts(reader: Reads, span: Range, wanted: LogFilter, limit: int = MAX_ROWS) -> pa.Table:
    """Templates with records in the range, most frequent first.

    Columns: template_id (16 hex digits), service, severity_number (highest), count (in the range), total,
    template, example, first_seen, last_seen (whole store). The text is searched in the template.
    """
    return reader.query(
        f"""
        WITH counted AS (
            SELECT template_id, service, max(severity_number) AS severity_number, sum(count)::BIGINT AS count
            FROM log_counts WHERE {_within("minute")} GROUP BY 1, 2)
        SELECT lpad(lower(to_hex(template_id)), 16, '0') AS template_id, service, severity_number, counted.count,
               templates.count::BIGINT AS total, template, example, first_seen, last_seen
        FROM counted JOIN templates USING (template_id, service)
        WHERE (? IS NULL OR service = ?) AND coalesce(severity_number, 0) >= ?
            AND contains(lower(template), lower(?))
        ORDER BY counted.count DESC, service, template LIMIT ?
        """,
        [span.since, span.until, wanted.service, wanted.service, wanted.severity, wanted.text, limit],
    )


def log_rows(reader: Reads, span: Range, wanted: LogFilter, limit: int = MAX_ROWS) -> pa.Table:
    """Newest log records that match: time, service, severity_number, severity_text, body, component, params, ...

    The text is searched in the message. Times are timestamp[us, UTC]; template_id is 16 hex digits.
    """
    found = reader.latest(_LOG_COLUMNS, span.since, span.until, limit, wanted)
    ids = [None if one is None else telemetry.format_id(one) for one in found.column("template_id").to_pylist()]
    return found.set_column(found.schema.get_field_index("template_id"), "template_id", pa.array(ids, pa.string()))


def service_names(reader: Reads) -> list[str]:
    """Services that have logs, in order of name."""
    found = reader.query(f"SELECT DISTINCT service FROM log_counts ORDER BY 1 LIMIT {MAX_ROWS}")
    names: list[str] = found.column("service").to_pylist()
    return names


def template_texts(reader: Reads, signals: Sequence[str]) -> dict[str, str]:
    """Texts of the signals that are template ids, as lineage has it today; others are left out."""
    found = reader.query(
        f"WITH {_TEXTS} SELECT signal, text FROM texts WHERE list_contains(?, signal)",
        [sorted({signal for signal in signals if is_template(signal)})],
    )
    return {row["signal"]: row["text"] for row in found.to_pylist()}
