"""Arrow schemas of every table. Times are timestamp[us, UTC]; nothing here depends on another package.

Rows that come from an input carry where they came from: `source` (a name people can read), `partition`, and
`offset`, the position of the message, line or row inside it. `(source, partition)` together name one ordered
stream; its app id in the store is `Partition.app_id`.
"""

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")
ATTRIBUTES = pa.map_(pa.string(), pa.string())

_ORIGIN = [
    pa.field("source", pa.string(), nullable=False),
    pa.field("partition", pa.int32(), nullable=False),
    pa.field("offset", pa.int64(), nullable=False),
]
# A row is late when its event time is more than the allowed lateness behind the newest time seen before it in its
# own partition: a property of the partition's order alone. Late rows are stored and counted, and detectors skip them.
# So is a row whose time was more than ten minutes ahead of the clock: its `time` is then when it was seen, and the
# attribute `faultline.stated_time` what it stated.
_LATE = pa.field("late", pa.bool_(), nullable=False)

LINES = pa.schema(
    [
        pa.field("time", TIME),  # event time if the envelope (JSON, Parquet, syslog frame) states one, else null
        pa.field("observed_time", TIME, nullable=False),  # when Faultline or the shipper saw it
        pa.field("service", pa.string()),  # null: unknown so far
        pa.field("component", pa.string()),
        pa.field("severity_number", pa.int8()),  # OpenTelemetry 1-24; null: not stated
        pa.field("severity_text", pa.string()),  # as written in the record
        pa.field("body", pa.string(), nullable=False),  # the raw line, or the message field of a structured record
        pa.field("trace_id", pa.string()),
        pa.field("span_id", pa.string()),
        pa.field("attributes", ATTRIBUTES),
        *_ORIGIN,
        pa.field("line", pa.int64()),  # 1-based line inside the file or message; null where lines mean nothing
        # false: `body` is a raw line that may begin with a header and may continue the line before it
        pa.field("structured", pa.bool_(), nullable=False),
    ]
)
"""What ingest hands to parsing: one row an input line or structured log record, in partition order."""

LOGS = pa.schema(
    [
        pa.field("time", TIME, nullable=False),  # event time; the observed time where the record states none
        pa.field("observed_time", TIME, nullable=False),
        pa.field("service", pa.string(), nullable=False),  # "unknown" where nothing names one
        pa.field("component", pa.string()),  # logger, class or program
        pa.field("severity_number", pa.int8()),
        pa.field("severity_text", pa.string()),
        pa.field("body", pa.string(), nullable=False),  # message without header; continuation lines after "\n"
        pa.field("template_id", pa.int64(), nullable=False),
        pa.field("params", pa.list_(pa.string()), nullable=False),  # one value a `<*>` of the template, in order
        pa.field("trace_id", pa.string()),
        pa.field("span_id", pa.string()),
        pa.field("attributes", ATTRIBUTES),
        *_ORIGIN,
        pa.field("line", pa.int64()),
        _LATE,
    ]
)
"""One row a log record."""

METRICS = pa.schema(
    [
        pa.field("time", TIME, nullable=False),
        pa.field("service", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),  # finite; NaN and infinities are dead letters
        pa.field("attributes", ATTRIBUTES),
        *_ORIGIN,
        _LATE,
        # true: counts up since a start, and detection looks at its rate; null: not, or not known to
        pa.field("cumulative", pa.bool_()),
    ]
)
"""One row a metric point."""

SPANS = pa.schema(
    [
        pa.field("time", TIME, nullable=False),  # start
        pa.field("duration_us", pa.int64(), nullable=False),
        pa.field("trace_id", pa.string(), nullable=False),
        pa.field("span_id", pa.string(), nullable=False),
        pa.field("parent_span_id", pa.string()),  # null: root span
        pa.field("service", pa.string(), nullable=False),
        pa.field("operation", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),  # "unset", "ok", "error" (OpenTelemetry)
        pa.field("attributes", ATTRIBUTES),
        *_ORIGIN,
        _LATE,
    ]
)
"""One row a span."""

TEMPLATES = pa.schema(
    [
        pa.field("template_id", pa.int64(), nullable=False),
        pa.field("service", pa.string(), nullable=False),
        pa.field("template", pa.string(), nullable=False),
        pa.field("first_seen", TIME, nullable=False),
        pa.field("last_seen", TIME, nullable=False),
        pa.field("count", pa.int64(), nullable=False),  # records since the previous commit
        pa.field("example", pa.string(), nullable=False),  # one body
        *_ORIGIN,  # offset: the last record counted in
    ]
)
"""Per-commit deltas keyed (template_id, service); readers fold them: min, max, sum."""

RECIPE = pa.list_(pa.list_(pa.struct([pa.field("text", pa.string()), pa.field("param", pa.int32())])))
LINEAGE = pa.schema(
    [
        pa.field("time", TIME, nullable=False),  # event time of the record that caused the rule
        pa.field("kind", pa.string(), nullable=False),  # "generalise"; what people change is in `edits`
        pa.field("from_id", pa.int64(), nullable=False),
        pa.field("to_id", pa.int64(), nullable=False),
        # Params of `to_id` from those of `from_id`: each is a run of parts to join, a part is a constant text or
        # the 0-based index of an old parameter.
        pa.field("recipe", RECIPE, nullable=False),
        *_ORIGIN,
    ]
)
"""Ordered rules that views apply to stored template ids and params."""

EDITS = pa.schema(
    [
        pa.field("seq", pa.int64(), nullable=False),  # 1, 2, ...: the order in which edits apply
        pa.field("time", TIME, nullable=False),
        pa.field("actor", pa.string(), nullable=False),  # who
        pa.field("reason", pa.string(), nullable=False),  # why, in their words; may be empty
        # "merge", "split" (some values of a parameter), "constant" (every value: it is no parameter),
        # "parameter" (words are values), "rename", "undo"
        pa.field("kind", pa.string(), nullable=False),
        pa.field("template_ids", pa.list_(pa.int64()), nullable=False),  # what it changes, as it was called then
        pa.field("templates", pa.list_(pa.string()), nullable=False),  # their texts then
        pa.field("param", pa.int32()),  # split, constant: 0-based number of the `<*>`
        pa.field("values", pa.list_(pa.string()), nullable=False),  # split: values that get templates of their own
        pa.field("text", pa.string()),  # parameter, rename: the template it becomes
        pa.field("undoes", pa.int64()),  # undo: the `seq` it takes back
    ]
)
"""What people decided about templates. Append-only: an undo is a row too. Views apply them after `lineage`."""

LOG_COUNTS = pa.schema(
    [
        pa.field("minute", TIME, nullable=False),
        pa.field("service", pa.string(), nullable=False),
        pa.field("severity_number", pa.int8()),
        pa.field("template_id", pa.int64(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        *_ORIGIN,  # offset: the last record counted in
    ]
)
"""Per-commit partial sums; readers add them up."""

ANOMALIES = pa.schema(
    [
        pa.field("time", TIME, nullable=False),  # end of the window the anomaly was seen in
        pa.field("window_s", pa.int32(), nullable=False),
        pa.field("service", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),  # "metric", "log", "span"
        pa.field("signal", pa.string(), nullable=False),  # metric name, template id as 16 hex digits, or span signal
        pa.field("score", pa.float64(), nullable=False),  # higher is worse
        pa.field("threshold", pa.float64(), nullable=False),  # anomalous: score >= threshold
        pa.field("expected", pa.float64()),
        pa.field("observed", pa.float64()),
        pa.field("detector", pa.string(), nullable=False),
        pa.field("explanation", pa.string(), nullable=False),  # one sentence with the numbers in it
        pa.field("incident_id", pa.string()),  # null: stayed alone
    ]
)
"""One row a (window, service, signal, detector) whose score reached its threshold."""

INCIDENTS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # 16 hex digits, a hash of how it opened
        pa.field("opened", TIME, nullable=False),
        pa.field("updated", TIME, nullable=False),
        pa.field("onset", TIME, nullable=False),  # when the first sign is estimated to have begun
        pa.field("status", pa.string(), nullable=False),  # "open", "acknowledged", "resolved"
        pa.field("severity", pa.string(), nullable=False),  # "critical", "warning"
        pa.field("services", pa.list_(pa.string()), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("verdict", pa.string()),  # "root_cause_found", "insufficient_evidence"; null: not ranked yet
        pa.field("confidence", pa.float64()),  # 0 to 1
        pa.field("seq", pa.int64(), nullable=False),  # the highest row of an id is its present state
    ]
)
"""Every state an incident went through; the view `incidents` shows the newest row of each id."""

INCIDENT_EVENTS = pa.schema(
    [
        pa.field("incident_id", pa.string(), nullable=False),
        pa.field("time", TIME, nullable=False),
        pa.field("seq", pa.int64(), nullable=False),
        # "open", "join" (a service joined), "rank", "acknowledge", "resolve", "reopen", "feedback"
        pa.field("kind", pa.string(), nullable=False),
        pa.field("actor", pa.string(), nullable=False),  # "faultline" or who did it
        pa.field("detail", pa.string(), nullable=False),  # one sentence
    ]
)
"""Every change to an incident, in order."""

EVIDENCE = pa.struct(
    [
        pa.field("kind", pa.string()),  # "metric", "log", "span", "graph"
        pa.field("signal", pa.string()),
        pa.field("score", pa.float64()),
        pa.field("expected", pa.float64()),
        pa.field("observed", pa.float64()),
        pa.field("text", pa.string()),  # one sentence with the numbers in it
    ]
)
SUSPECTS = pa.schema(
    [
        pa.field("incident_id", pa.string(), nullable=False),
        pa.field("ranked_at", TIME, nullable=False),  # the highest of an incident is its present ranking
        pa.field("rank", pa.int32(), nullable=False),  # 1 is the most suspect
        pa.field("service", pa.string(), nullable=False),
        pa.field("signal", pa.string()),  # the service's most telling signal
        pa.field("score", pa.float64(), nullable=False),
        pa.field("share", pa.float64(), nullable=False),  # of the total score, 0 to 1
        pa.field("role", pa.string(), nullable=False),  # "root_cause", "symptom", "unclear"
        pa.field("evidence", pa.list_(EVIDENCE), nullable=False),
        pa.field("path", pa.list_(pa.string()), nullable=False),  # services from this one to where it hurts
        pa.field("method", pa.string(), nullable=False),
    ]
)
"""All services of an incident, ranked."""

DEAD_LETTERS = pa.schema(
    [
        pa.field("time", TIME, nullable=False),  # when it was rejected
        *_ORIGIN,
        pa.field("reason", pa.string(), nullable=False),  # short stable code: "bad_json", "too_deep", "not_finite", ...
        pa.field("detail", pa.string(), nullable=False),
        pa.field("units", pa.int64(), nullable=False),  # lines, points or spans this letter stands for
        pa.field("raw", pa.binary(), nullable=False),  # what came in, cut at 64 KiB
        pa.field("id", pa.string()),  # 16 hex digits; null in rows of versions that gave none
    ]
)
"""What could not be decoded, and why."""

RETRIES = pa.schema(
    [
        pa.field("time", TIME, nullable=False),  # when it was queued
        *_ORIGIN,  # offset: its place in the queue, which is the position of what it gives (source "retry")
        pa.field("letter", pa.string(), nullable=False),  # id of the dead letter
        pa.field("letter_source", pa.string(), nullable=False),
        pa.field("letter_partition", pa.int32(), nullable=False),
        pa.field("letter_offset", pa.int64(), nullable=False),
        pa.field("rejected", TIME, nullable=False),
        pa.field("units", pa.int64(), nullable=False),
        pa.field("raw", pa.binary(), nullable=False),
    ]
)
"""Dead letters to decode once more, in order: a queue that is read like an input."""

LEDGER = pa.schema(
    [
        pa.field("time", TIME, nullable=False),
        pa.field("app_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("next", pa.int64(), nullable=False),  # every position below is accounted for
        # Totals over all positions below `next`, so the row with the highest `next` of an app_id is its whole account.
        pa.field("read", pa.int64(), nullable=False),  # input lines, metric points, spans
        pa.field("stored", pa.int64(), nullable=False),
        pa.field("joined", pa.int64(), nullable=False),  # continuation lines joined to the record before
        pa.field("dead_lettered", pa.int64(), nullable=False),
        pa.field("filtered", pa.int64(), nullable=False),
        pa.field("late", pa.int64(), nullable=False),  # of `stored`: rows that came too late for detection
        # Event time below which this partition has only late rows left; null: nothing with a time yet.
        pa.field("watermark", TIME),
        pa.field("closed", pa.bool_(), nullable=False),  # end of input reached
        pa.field("redacted", pa.map_(pa.string(), pa.int64())),  # texts replaced so far, by kind; null: none
        pa.field("worker", pa.string()),  # who wrote the row
        pa.field("end", pa.int64()),  # where the input ended then: the lag is end - next; null: not known
        pa.field("ahead", pa.int64()),  # of `late`: rows whose time was ahead of the clock; null in older rows
    ]
)
"""One row a partition and commit, written after its data: read = stored + joined + dead_lettered + filtered.

A row may repeat `next` with a later watermark: an idle partition lets event time pass.
"""

STATE = pa.schema(
    [
        pa.field("component", pa.string(), nullable=False),  # "partition:<app id>", "correlator"
        pa.field("position", pa.int64(), nullable=False),
        pa.field("format_version", pa.int32(), nullable=False),
        pa.field("checksum", pa.string(), nullable=False),  # xxh3-128 of the payload, hex
        pa.field("payload", pa.binary(), nullable=False),
        pa.field("time", TIME, nullable=False),
    ]
)
"""Snapshots of stage state, each tied to the position it belongs to."""

TABLES: dict[str, pa.Schema] = {
    "logs": LOGS,
    "metrics": METRICS,
    "spans": SPANS,
    "templates": TEMPLATES,
    "lineage": LINEAGE,
    "edits": EDITS,
    "log_counts": LOG_COUNTS,
    "dead_letters": DEAD_LETTERS,
    "retries": RETRIES,
    "anomalies": ANOMALIES,
    "incidents": INCIDENTS,
    "incident_events": INCIDENT_EVENTS,
    "suspects": SUSPECTS,
    "ledger": LEDGER,
    "state": STATE,
}
"""Every stored table, in the order one commit writes them: data first, then the ledger, state last."""
