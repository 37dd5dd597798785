"""Records from lines: joined bodies and times, and what else is known of them before they have a template."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from parsing._attributes import attribute_column
from parsing._columns import Flags, Ints, Rows, Spans, all_same
from parsing._frames import Given
from parsing._headers import Headers
from parsing._jit import Kernels
from parsing._logs import Columns
from parsing._services import NAME_ATTRIBUTE, Services
from parsing._times import INVALID
from telemetry import LINES

if TYPE_CHECKING:
    from parsing._parser import Stream

_row_kernels = Kernels("parsing._row_kernels")
_TIME = LINES.get_field_index("time")


@dataclass(slots=True)
class Records:
    """Log records before they have a template; arrays have one entry a record."""

    tailed: Flags  # it has continuation lines that are not blank
    stream: Ints
    rows: Given  # first lines; others may be behind them
    messages: Spans  # first lines without header
    bodies: Spans  # messages with continuation lines
    columns: Columns
    one_service: bool  # all have the same
    filtered: int = 0

    @classmethod
    def build(
        cls,
        rows: Given,
        headers: Headers,
        starts: Flags,
        number: Ints,
        streams: Sequence["Stream"],
        fallback: str,
        services: Services,
    ) -> "Records":
        """Make records of the first of `rows`; `starts` says which of these begin one. `fallback`: who is unnamed."""
        count = len(starts)
        whole = np.count_nonzero(starts) == count
        first = None if whole else np.flatnonzero(starts)
        at: Rows = slice(0, count) if first is None else first
        taken, messages = rows, headers.spans("message", at)
        bodies, tailed = messages, np.zeros(len(messages), np.bool_)
        if first is not None:
            taken = Given.of(rows.batch.take(pa.array(first)))
            lines = np.diff(first, append=count)
            several = np.flatnonzero(lines > 1)
            joined = _joined(headers.spans("message", slice(0, count)), first, lines, several, headers.later)
            bodies = messages.replaced(several, joined)
            tailed[several] = [_has_tail(messages, int(row), text) for row, text in zip(several, joined, strict=True)]
        columns = Columns.of(taken, headers, at, bodies, whole and bodies is messages, fallback)
        inherited = _fill_times(columns.time_us, taken, headers, at, number[at], streams)
        alike = all_same(columns.service) if "service" in headers.seen else taken.one_service
        one_service = len(streams) == 1 and alike
        service, refused = services.column(columns.service, one_service)
        if service is not columns.service:
            columns.put_service(service)
        for record, name in refused.items():
            headers.extra.setdefault(record if first is None else int(first[record]), {})[NAME_ATTRIBUTE] = name
        attributes = attribute_column(taken, headers, at, inherited)
        if attributes is not None:
            columns.put("attributes", attributes)
        return cls(tailed, number[at], taken, messages, bodies, columns, one_service and not refused)

    def origin(self, record: int) -> dict[str, Any]:
        """Return source, partition and offset of a record."""
        return {name: self.rows.batch[name][record].as_py() for name in ("source", "partition", "offset")}


def _joined(messages: Spans, first: Ints, lines: Ints, several: Ints, later: Flags) -> list[str]:
    """Return the bodies of records of several lines; `messages`: of all lines; `later`: lines that add nothing."""
    spans = zip(first[several].tolist(), lines[several].tolist(), strict=True)
    return [
        "\n".join([messages.text(row) for row in range(begin, begin + count) if not later[row]])
        for begin, count in spans
    ]


def _has_tail(messages: Spans, row: int, body: str) -> bool:
    return bool(body[len(messages.text(row)) :].strip(" \t\n\r\x0b\x0c"))


def _fill_times(us: Ints, rows: Given, headers: Headers, at: Rows, number: Ints, streams: Sequence["Stream"]) -> Flags:
    """Set each record's time; return of which ones it is that of the record before it in its stream.

    In order: the envelope's, the header's, the time of the record before, the observed time.
    """
    us[:], known = headers.time_us[at], headers.timed[at]
    if rows.has(_TIME):
        stated = rows.batch.column(_TIME).slice(0, len(us))
        enveloped = stated.is_valid().to_numpy(zero_copy_only=False)
        us[:] = np.where(enveloped, stated.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False), us)
        known = known | enveloped
    inherited = np.zeros(len(us), np.bool_)
    last = np.array([INVALID if stream.last_time_us is None else stream.last_time_us for stream in streams])
    _row_kernels.inherit(us, known, number, rows.observed, last, inherited)
    for stream, time in zip(streams, last.tolist(), strict=True):
        stream.last_time_us = None if time == INVALID else time
    return inherited
