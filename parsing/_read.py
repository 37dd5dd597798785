"""Headers of a batch's rows, stream by stream, put together in row order."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parsing._columns import Flags, Ints, Spans, streams_in
from parsing._frames import Given, Rest
from parsing._headers import HeaderReader, Headers
from parsing._jit import Kernels
from parsing._partial import Partials
from parsing._shapes import shape_of
from parsing._structured import read_elements, read_structured
from telemetry import LINES

if TYPE_CHECKING:
    from parsing._parser import Stream

_kernels = Kernels("parsing._kernels")
_BODY = LINES.get_field_index("body")
_MOST_SHAPES = 16  # of a batch
_FEW = 8  # lines are read one by one
_COLOURS = r"\x1b\[[0-9;:?]*[A-Za-z]"  # ECMA-48: what a terminal makes of text, none of which is text


def read_lines(rest: Rest | None, batch: pa.RecordBatch | None) -> Given:
    """Return the rows of a batch of LINES behind the rest of another, of which there is at least one.

    Their bodies are without what would only colour them on a terminal.
    """
    if rest is not None and batch is not None:
        rows = Given.joined(rest, batch)
    else:
        rows = Given.of(batch if rest is None else rest.batch)
    if not rows.escaped:
        return rows
    plain = pc.replace_substring_regex(rows.batch.column(_BODY), _COLOURS, "")
    return Given.of(rows.batch.set_column(_BODY, LINES.field(_BODY), plain))


def read_rows(rows: Given, streams: Sequence["Stream"], number: Ints, timezone: str) -> tuple[Headers, Spans, Partials]:
    """Return the headers of all rows, the lines, and which of them came in parts.

    Of what a container runtime wrote, the line is what it passes on, and the header is that of this line.
    """
    lines, structured, observed, mixed = rows.lines, rows.structured, rows.observed, rows.mixed
    headers = Headers.blank(lines)
    parts = Partials(headers.later)
    every = np.arange(len(lines))
    for one, mine in streams_in(number, len(streams)):
        stream, own = streams[one], every if mine is None else mine
        raw = own[~structured[own]] if mixed else own
        wrapped = _read_some(stream.raw, lines, raw, observed, headers, leading=True)
        if len(wrapped):
            headers.settle()
            wrapped = parts.glue(headers, wrapped)
            lines = lines.replaced_by(headers.spans("message", wrapped), wrapped)
            _read_some(stream.inner, lines, wrapped, observed, headers, leading=True)
        if mixed:
            _read_some(stream.inner, lines, own[structured[own]], observed, headers, leading=False)
        if stream.years:
            headers.date(own, stream.years, timezone)
    headers.settle()
    if "data" in headers.seen:
        data = headers.spans("data", slice(0, len(lines)))
        for row in np.flatnonzero(data.sizes).tolist():
            headers.extra.setdefault(row, {}).update(read_elements(data.text(row)))
    return headers, lines, parts


def _read_some(reader: HeaderReader, lines: Spans, rows: Ints, observed: Ints, headers: Headers, leading: bool) -> Ints:
    """Read the headers of some rows; return those whose message is a line that a container wrote."""
    if len(rows) and reader.settings.format == "auto":
        rows = _read_objects(reader, lines, rows, observed, headers)
    return reader.read(headers, lines, rows, observed, leading)


def _read_objects(reader: HeaderReader, lines: Spans, rows: Ints, observed: Ints, headers: Headers) -> Ints:
    """Read the rows that are JSON objects or logfmt; return the others."""
    maybe = np.zeros(len(rows), np.bool_)
    _kernels.objects(lines.data, lines.begins, lines.ends, rows, maybe)
    if not np.count_nonzero(maybe):
        return rows
    done = np.zeros(len(rows), np.bool_)
    todo = np.flatnonzero(maybe)
    for _ in range(_MOST_SHAPES):
        todo = _read_alike(lines, rows, todo, headers, done)
    for place in todo.tolist():
        done[place] = _read_object(lines.text(int(rows[place])), int(rows[place]), headers)
    headers.settle()
    own = rows[done]
    timed = own[headers.spans("time", own).sizes > 0]
    reader.put_times_of_any_layout(headers, timed, observed)
    return rows[~done]


def _read_alike(lines: Spans, rows: Ints, todo: Ints, headers: Headers, done: Flags) -> Ints:
    """Read, of the places `todo`, all that are of the first one's shape; return those that are not read."""
    if len(todo) < _FEW:
        return todo
    row = int(rows[todo[0]])
    shape = shape_of(lines.text(row))
    if shape is None:
        done[todo[0]] = _read_object(lines.text(row), row, headers)
        return todo[1:]
    fit, begins, ends = shape.cut(lines.take(rows[todo]))
    own, begins, ends = rows[todo[fit]], begins[:, fit], ends[:, fit]
    for key, field in enumerate(shape.fields):
        if field is not None:
            headers.put_places(field, own, begins[key], ends[key])
    further = [key for key, field in enumerate(shape.fields) if field is None]
    if further:
        names = [shape.keys[key] for key in further]
        texts = [Spans(lines.data, begins[key], ends[key]).column().to_pylist() for key in further]
        for at, values in zip(own.tolist(), zip(*texts, strict=True), strict=True):
            headers.extra[at] = dict(zip(names, values, strict=True))
    headers.matched[own] = done[todo[fit]] = True
    left = np.ones(len(todo), np.bool_)
    left[fit] = False
    if left[0]:
        done[todo[0]] = _read_object(lines.text(row), row, headers)
        left[0] = False
    return todo[left]


def _read_object(text: str, row: int, headers: Headers) -> bool:
    found = read_structured(text)
    if found is None:
        return False
    fields, extra = found
    headers.matched[row] = True
    for name, value in fields.items():
        headers.put_text(name, row, value)
    if extra:
        headers.extra[row] = extra
    return True
