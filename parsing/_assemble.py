"""Records from lines: joined bodies, times, severities and attributes, as Arrow columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parsing._attributes import attribute_column
from parsing._columns import (
    Bytes,
    Flags,
    Ints,
    Rows,
    Spans,
    all_same,
    int_column,
    ints,
    one_chunk,
    string_columns,
)
from parsing._headers import Headers
from parsing._jit import Kernels
from parsing._services import NAME_ATTRIBUTE, Services
from parsing._settings import ParserSettings
from parsing._times import INVALID
from telemetry import LINES, LOGS, TIME, severity_number, syslog_severity_number

if TYPE_CHECKING:
    from parsing._parser import Stream

_INT8, _INT64 = pa.int8(), pa.int64()
_NO_FLAGS = pa.repeat(False, 1 << 14)
_row_kernels, _text_kernels = Kernels("parsing._row_kernels"), Kernels("parsing._text_kernels")
_MOST_KNOWN = 64
_KEPT = ("observed_time", "source", "partition", "offset", "line")
_FROM_LINES = [(name, LINES.get_field_index(name) if name in _KEPT else -1) for name in LOGS.names]
# PostgreSQL's word for what is no error, Redis' marks (debug, verbose, notice, warning), Apple's words, and the numbers
# of syslog, which network devices write.
_OWN_LEVELS = {"LOG": 9, ".": 5, "-": 9, "*": 10, "#": 13, "SUCCESS": 9, "Default": 9, "Fault": 21}
_OWN_LEVELS |= {f"DEBUG{n}": 5 for n in range(1, 6)} | {str(n): syslog_severity_number(n) for n in range(8)}


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
    columns: dict[str, pa.Array]  # body, service, component, severity, trace and span id, attributes
    one_service: bool  # all have the same
    filtered: int = 0

    @property
    def service(self) -> pa.Array:
        """The service of each record."""
        return self.columns["service"]

    @classmethod
    def build(
        cls,
        rows: pa.Table,
        headers: Headers,
        starts: Flags,
        number: Ints,
        streams: Sequence["Stream"],
        settings: ParserSettings,
        services: Services,
    ) -> "Records":
        """Make records of `rows`, the first that `headers` are of; `starts` says which of them begin one."""
        count = len(starts)
        whole = np.count_nonzero(starts) == count
        first = np.arange(count) if whole else np.flatnonzero(starts)
        at: Rows = slice(0, count) if whole else first
        taken = rows if whole else rows.take(pa.array(first))
        messages = headers.spans("message", at)
        bodies, tailed = messages, np.zeros(len(first), np.bool_)
        if not whole:
            lines = np.diff(first, append=count)
            several = np.flatnonzero(lines > 1)
            joined = _joined(headers.spans("message", slice(0, count)), first, lines, several, headers.later)
            bodies = messages.replaced(several, joined)
            tailed[several] = [_has_tail(messages, int(row), text) for row, text in zip(several, joined, strict=True)]
        time_us, inherited = _times(taken, headers, at, number[at], streams)
        plain = bodies is messages and not headers.seen
        columns = _plain_columns(taken, settings) if plain else _columns(taken, headers, first, bodies, settings)
        one_service = len(streams) == 1 and all_same(columns["service"])
        columns["service"], refused = services.column(columns["service"], one_service)
        for record, name in refused.items():
            headers.extra.setdefault(int(first[record]), {})[NAME_ATTRIBUTE] = name
        one_service &= not refused
        columns["attributes"] = attribute_column(taken, headers, first, inherited)
        return cls(first, tailed, number[at], taken, messages, bodies, time_us, columns, one_service)

    def origin(self, record: int) -> dict[str, Any]:
        """Return source, partition and offset of a record."""
        return {name: self.rows[name][record].as_py() for name in ("source", "partition", "offset")}


def logs_table(records: Records, ids: Ints, params: pa.ListArray) -> pa.Table:
    """Return the records as rows of `logs`."""
    own = records.columns
    own["time"], own["template_id"] = int_column(records.time_us, TIME), int_column(ids, _INT64)
    own["params"], own["late"] = params, _no_flags(len(ids))
    column = records.rows.column
    return pa.Table.from_arrays([own[name] if at < 0 else column(at) for name, at in _FROM_LINES], schema=LOGS)


def _no_flags(rows: int) -> pa.Array:
    return _NO_FLAGS.slice(0, rows) if rows <= len(_NO_FLAGS) else pa.repeat(False, rows)


def _joined(messages: Spans, first: Ints, lines: Ints, several: Ints, later: Flags) -> list[str]:
    """Return the bodies of records of several lines; `messages`: of all lines; `later`: lines that add nothing."""
    spans = zip(first[several].tolist(), lines[several].tolist(), strict=True)
    return [
        "\n".join([messages.text(row) for row in range(begin, begin + count) if not later[row]])
        for begin, count in spans
    ]


def _has_tail(messages: Spans, row: int, body: str) -> bool:
    return bool(body[len(messages.text(row)) :].strip(" \t\n\r\x0b\x0c"))


def _times(rows: pa.Table, headers: Headers, at: Rows, number: Ints, streams: Sequence["Stream"]) -> tuple[Ints, Flags]:
    """Return each record's time, and whether it is that of the record before it in its stream.

    In order: the envelope's, the header's, the time of the record before, the observed time.
    """
    us, known, observed = headers.time_us[at], headers.timed[at], ints(rows["observed_time"])
    stated = rows["time"]
    if stated.null_count < len(stated):
        stated = one_chunk(stated)
        enveloped = stated.is_valid().to_numpy(zero_copy_only=False)
        us = np.where(enveloped, stated.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False), us)
        known = known | enveloped
    inherited = np.zeros(len(us), np.bool_)
    last = np.array([INVALID if stream.last_time_us is None else stream.last_time_us for stream in streams])
    _row_kernels.inherit(us, known, number, observed, last, inherited)
    for stream, time in zip(streams, last.tolist(), strict=True):
        stream.last_time_us = None if time == INVALID else time
    return us, inherited


_STATED = [
    (name, LINES.get_field_index(name))
    for name in ("body", "component", "service", "severity_text", "severity_number", "trace_id", "span_id")
]
_TEXTS = {
    "component": "component",
    "service": "service",
    "severity_text": "level",
    "trace_id": "trace_id",
    "span_id": "span_id",
}


def _plain_columns(rows: pa.Table, settings: ParserSettings) -> dict[str, pa.Array]:
    """Return the columns of records that are as the envelope states them: lines without a header."""
    columns = {name: one_chunk(rows.column(at)) for name, at in _STATED}
    severity, stated = columns["severity_text"], columns["severity_number"]
    if severity.null_count < len(severity):
        columns["severity_number"] = _stated_or(stated, _LEVELS.of(Spans.of(severity)))
    _fill_service(columns, settings)
    return columns


def _fill_service(columns: dict[str, pa.Array], settings: ParserSettings) -> None:
    service = one_chunk(columns["service"])
    columns["service"] = pc.fill_null(service, settings.service or "unknown") if service.null_count else service


def _stated_or(stated: pa.Array, found: pa.Array) -> pa.Array:
    return found if stated.null_count == len(stated) else pc.coalesce(one_chunk(stated), found)


def _columns(
    rows: pa.Table, headers: Headers, at: Ints, bodies: Spans, settings: ParserSettings
) -> dict[str, pa.Array]:
    """Return the columns of text and the severity; what the envelope states wins over what the header says."""
    asked = [name for name, field in _TEXTS.items() if field in headers.seen]
    begins, ends = headers.places([_TEXTS[name] for name in asked], at, 1)
    begins[-1], ends[-1] = bodies.begins, bodies.ends
    found = string_columns(bodies.data, begins, ends, [True] * len(asked) + [False])
    columns = {name: one_chunk(rows.column(place)) for name, place in _STATED}
    columns["body"] = found.pop()
    level = None
    for k, name in enumerate(asked):
        if name == "severity_text" and columns[name].null_count == len(at):
            level = Spans(bodies.data, begins[k], ends[k])
        columns[name] = _stated_or(columns[name], found[k])
    _fill_service(columns, settings)
    severity = columns["severity_text"]
    if severity.null_count < len(severity):
        numbers = _LEVELS.of(Spans.of(severity) if level is None else level)
        columns["severity_number"] = _stated_or(columns["severity_number"], numbers)
    if "priority" in headers.seen:
        numbers = _PRIORITIES.of(headers.spans("priority", at))
        columns["severity_number"] = _stated_or(columns["severity_number"], numbers)
    return columns


class _Numbers:
    """Numbers of texts of which there are few, remembered."""

    def __init__(self, number: Callable[[str], int | None]) -> None:
        self._number = number
        self._known = self._pack([""])

    def _pack(self, texts: list[str]) -> tuple[list[str], Bytes, Ints, NDArray[np.int8]]:
        pieces = [text.encode() for text in texts]
        offsets = np.cumsum([0, *(len(piece) for piece in pieces)], dtype=np.int64)
        numbers = [self._number(text) or 0 if text else 0 for text in texts]
        return texts, np.frombuffer(b"".join(pieces), np.uint8), offsets, np.array(numbers, np.int8)

    def of(self, texts: Spans) -> pa.Array:
        """Return the number of each text (int8), null where it has none."""
        place = np.empty(len(texts), np.int64)
        row = 0
        while True:
            known, data, offsets, numbers = self._known
            row = _text_kernels.number_texts(
                texts.data, texts.begins, texts.ends, data, offsets, len(known), row, place
            )
            if row == len(texts):
                break
            if len(known) >= _MOST_KNOWN:
                return self._by_dictionary(texts)
            self._known = self._pack([*known, texts.text(row)])
        found, valid = np.empty(len(place), np.int8), np.zeros((len(place) + 7) // 8, np.uint8)
        absent = _row_kernels.take_numbers(numbers, place, found, valid)
        return pa.Array.from_buffers(
            _INT8, len(place), [pa.py_buffer(valid) if absent else None, pa.py_buffer(found)], absent
        )

    def _by_dictionary(self, texts: Spans) -> pa.Array:
        self._known = self._pack([""])
        coded = texts.column().dictionary_encode()
        known = [self._number(text) if text else None for text in coded.dictionary.to_pylist()]
        return pa.array(known, _INT8).take(coded.indices)


_LEVELS = _Numbers(lambda text: _OWN_LEVELS.get(text) or severity_number(text))
_PRIORITIES = _Numbers(lambda text: syslog_severity_number(int(text)))
