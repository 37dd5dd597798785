"""What crosses the border between two rooms, where one Arrow table is not enough."""

from dataclasses import dataclass, field

import pyarrow as pa

import telemetry._schemas as schemas


@dataclass(frozen=True)
class Partition:
    """One ordered stream of an input: a Kafka topic partition, a file, stdin.

    `app_id` names its position in the store. It contains what tells this stream from a later one of the same name
    (the topic's UUID; the file's device, inode and first-line hash). `source` is the name people read. `written_us`:
    when all of it was there, in us since the epoch; None: it grows, and its rows say when each was seen.
    """

    app_id: str
    source: str
    number: int = 0
    written_us: int | None = None


@dataclass(frozen=True)
class Batch:
    """Decoded records of one partition, positions [start, next), in order.

    `read` counts input units (lines, metric points, spans) in it; `filtered` those left out on purpose (blank lines).
    Of `lines`, `metrics` and `spans` any may be empty; all follow the schemas of the same name. `late` are only those
    whose time is ahead of the clock; of `lines` that is found out once they are parsed.
    `filtered_at`: offsets of those of them that wait, as rows do, for a record before them that may go on.
    `closed`: the partition ends here.
    """

    partition: Partition
    start: int
    next: int
    read: int
    filtered: int = 0
    lines: pa.Table = field(default_factory=schemas.LINES.empty_table)
    metrics: pa.Table = field(default_factory=schemas.METRICS.empty_table)
    spans: pa.Table = field(default_factory=schemas.SPANS.empty_table)
    dead_letters: pa.Table = field(default_factory=schemas.DEAD_LETTERS.empty_table)
    closed: bool = False
    filtered_at: pa.Array = field(default_factory=lambda: pa.array([], pa.int64()))


REDACTIONS = pa.schema([("offset", pa.int64()), ("kind", pa.string()), ("count", pa.int64())])
"""How many texts of a kind were redacted at an input position."""


@dataclass(frozen=True)
class Parsed:
    """What parsing makes of lines: rows of LOGS, TEMPLATES and LINEAGE, and up to where input is dealt with.

    Lines at or after `next` are held back inside the parser (an unfinished multi-line record) and will come out of a
    later call; a commit may therefore move the position only to `next`.
    """

    logs: pa.RecordBatch
    templates: pa.RecordBatch
    lineage: pa.RecordBatch
    next: int
    joined: int = 0
    filtered: int = 0


WINDOW_LOGS = pa.schema(
    [
        pa.field("time", schemas.TIME, nullable=False),
        pa.field("service", pa.string(), nullable=False),
        pa.field("template_id", pa.int64(), nullable=False),
        pa.field("severity_number", pa.int8()),
        pa.field("count", pa.int64(), nullable=False),
    ]
)
"""Log counts of one window, by service, template and severity; `time` is the window's start."""

WINDOW_SPANS = pa.schema(
    [
        pa.field("time", schemas.TIME, nullable=False),
        pa.field("service", pa.string(), nullable=False),
        pa.field("operation", pa.string(), nullable=False),
        pa.field("caller", pa.string()),  # service of the parent span; null: a root span, or the parent is unknown
        pa.field("count", pa.int64(), nullable=False),
        pa.field("errors", pa.int64(), nullable=False),
        pa.field("duration_p50_us", pa.float64(), nullable=False),
        pa.field("duration_p95_us", pa.float64(), nullable=False),
        # own time: duration less the time covered by child spans (clipped at 0), so that waiting on others is left out
        pa.field("self_p50_us", pa.float64(), nullable=False),
        pa.field("self_p95_us", pa.float64(), nullable=False),
        pa.field("error_origins", pa.int64(), nullable=False),  # failed spans none of whose children failed
    ]
)
"""Spans of one window, by service, operation and caller; `time` is the window's start."""

WINDOW_METRICS = pa.schema([schemas.METRICS.field(name) for name in ("time", "service", "metric", "value")])
"""Metric points of one window, in order of time, service, metric."""


@dataclass(frozen=True)
class Window:
    """All non-late telemetry with `start` <= event time < `end` (microseconds since the epoch, UTC)."""

    start: int
    end: int
    metrics: pa.Table
    logs: pa.Table
    spans: pa.Table
