"""Records from lines: joined bodies, times, severities and attributes, as Arrow columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parsing._attributes import attribute_column
from parsing._columns import Flags, Ints, Rows, Spans, one_chunk, streams_in
from parsing._headers import Headers
from parsing._settings import ParserSettings
from telemetry import LOGS, TIME, severity_number, syslog_severity_number

if TYPE_CHECKING:
    from parsing._parser import Stream

# PostgreSQL's word for what is no error, and Redis' marks (debug, verbose, notice, warning).
_OWN_LEVELS = {"LOG": 9, ".": 5, "-": 9, "*": 10, "#": 13, **{f"DEBUG{n}": 5 for n in range(1, 6)}}


@dataclass
class Records:
    """Log records before they have a template; arrays have one entry a record."""

    first: Ints  # row of the record's first line
    tailed: Flags  # it has continuation lines that are not blank
    stream: Ints
    rows: pa.Table  # first lines
    messages: Spans  # first lines without header
    bodies: Spans  # messages with continuation lines
    time_us: Ints
    columns: dict[str, pa.Array]  # service, component, severity, trace and span id, attributes
    filtered: int

    @classmethod
    def build(
        cls,
        rows: pa.Table,
        keep: int,
        headers: Headers,
        starts: Flags,
        number: Ints,
        streams: Sequence["Stream"],
        settings: ParserSettings,
    ) -> "Records":
        """Make records of the first `keep` rows; `starts` says which of them begin one."""
        first = np.flatnonzero(starts)
        whole = len(first) == keep
        at: Rows = slice(0, keep) if whole else first
        taken = rows.slice(0, keep) if whole else rows.take(pa.array(first))
        lines = np.diff(first, append=keep)
        messages = headers.spans("message", at)
        several = np.flatnonzero(lines > 1)
        joined = _joined(messages, rows, first, lines, several)
        bodies = messages.replaced(several, joined)
        time_us, inherited = _times(taken, headers, at, number[at], streams)
        columns = _columns(taken, headers, at, settings)
        columns["attributes"] = attribute_column(taken, headers, at, inherited)
        tailed = lines > 1
        tailed[several] = [_has_tail(messages, int(row), text) for row, text in zip(several, joined, strict=True)]
        return cls(first, tailed, number[at], taken, messages, bodies, time_us, columns, 0)

    def origin(self, record: int) -> dict[str, Any]:
        """Return source, partition and offset of a record."""
        return {name: self.rows[name][record].as_py() for name in ("source", "partition", "offset")}


def logs_table(records: Records, ids: Ints, params: pa.ListArray) -> pa.Table:
    """Return the records as rows of `logs`."""
    own = {
        "time": pa.array(records.time_us).view(TIME),
        "body": records.bodies.column(),
        "template_id": pa.array(ids),
        "params": params,
        "late": pa.repeat(pa.scalar(False), len(ids)),
        **records.columns,
    }
    columns = [own[name] if name in own else records.rows[name] for name in LOGS.names]
    return pa.table(columns, schema=LOGS)


def _joined(messages: Spans, rows: pa.Table, first: Ints, lines: Ints, several: Ints) -> list[str]:
    """Return the bodies of records of several lines."""
    bodies = one_chunk(rows["body"])
    return [
        "\n".join([messages.text(int(i)), *bodies.slice(int(first[i]) + 1, int(lines[i]) - 1).to_pylist()])
        for i in several
    ]


def _has_tail(messages: Spans, row: int, body: str) -> bool:
    return bool(body[len(messages.text(row)) :].strip(" \t\n\r\x0b\x0c"))


def _times(rows: pa.Table, headers: Headers, at: Rows, number: Ints, streams: Sequence["Stream"]) -> tuple[Ints, Flags]:
    """Return each record's time, and whether it is that of the record before it in its stream.

    In order: the envelope's, the header's, the time of the record before, the observed time.
    """
    us, known = headers.time_us[at], headers.timed[at]
    stated = one_chunk(rows["time"])
    if stated.null_count < len(stated):
        enveloped = stated.is_valid().to_numpy(zero_copy_only=False)
        us = np.where(enveloped, stated.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False), us)
        known = known | enveloped
    inherited = np.zeros(len(us), np.bool_)
    observed = rows["observed_time"].cast(pa.int64()).to_numpy()
    for one, mine in streams_in(number, len(streams)):
        stream = streams[one]
        if known[mine].all():
            stream.last_time_us = int(us[mine[-1]])
            continue
        places = np.where(known[mine], np.arange(len(mine)), -1)
        last = np.maximum.accumulate(places)
        missing = ~known[mine]
        before = us[mine][np.maximum(last, 0)]
        if stream.last_time_us is None:
            fill = np.where(last >= 0, before, observed[mine])
            inherited[mine] = missing & (last >= 0)
        else:
            fill = np.where(last >= 0, before, stream.last_time_us)
            inherited[mine] = missing
        us[mine[missing]] = fill[missing]
        if known[mine].any():
            stream.last_time_us = int(us[mine[known[mine]][-1]])
    return us, inherited


def _columns(rows: pa.Table, headers: Headers, at: Rows, settings: ParserSettings) -> dict[str, pa.Array]:
    def text(column: str, name: str) -> pa.Array:
        stated = one_chunk(rows[column])
        if not headers.has(name):
            return stated
        found = headers.spans(name, at).column(empty_is_null=True)
        return found if stated.null_count == len(stated) else pc.coalesce(stated, found)

    severity = text("severity_text", "level")
    service = text("service", "service")
    return {
        "service": pc.fill_null(service, settings.service or "unknown") if service.null_count else service,
        "component": text("component", "component"),
        "severity_text": severity,
        "severity_number": _severity_numbers(rows, severity, headers, at),
        "trace_id": text("trace_id", "trace_id"),
        "span_id": text("span_id", "span_id"),
    }


def _severity_numbers(rows: pa.Table, severity: pa.Array, headers: Headers, at: Rows) -> pa.Array:
    """Return severity numbers: the envelope's, that of the level as written, or that of a syslog priority."""
    stated = one_chunk(rows["severity_number"])
    numbers = _numbers(severity)
    if stated.null_count < len(stated):
        numbers = pc.coalesce(stated, numbers)
    if not headers.has("priority"):
        return numbers
    coded = headers.spans("priority", at).column().dictionary_encode()
    known = [syslog_severity_number(int(text)) if text else None for text in coded.dictionary.to_pylist()]
    return pc.coalesce(numbers, pa.array(known, pa.int8()).take(coded.indices))


def _numbers(severity: pa.Array) -> pa.Array:
    if severity.null_count == len(severity):
        return pa.nulls(len(severity), pa.int8())
    coded = severity.dictionary_encode()
    words = coded.dictionary.to_pylist()
    numbers = pa.array([_OWN_LEVELS.get(word) or severity_number(word) for word in words], pa.int8())
    return numbers.take(coded.indices)
