"""Headers of a batch's rows, stream by stream, put together in row order."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parsing._columns import Ints, one_chunk
from parsing._headers import HeaderReader, Headers
from parsing._structured import read_structured
from parsing._times import INVALID, TIME_LAYOUTS, read_times

if TYPE_CHECKING:
    from parsing._parser import Parser

_LOGFMT = r'^[A-Za-z_@][\w.@-]*=(?:"(?:[^"\\]|\\.)*"|[^\s"]*)\s+[A-Za-z_@][\w.@-]*='


def read_rows(rows: pa.Table, names: list[str], number: Ints, parser: "Parser") -> tuple[Headers, NDArray[np.bool_]]:
    """Return the headers of all rows, and for each whether its stream has shown a header up to it."""
    count = rows.num_rows
    bodies = one_chunk(rows["body"])
    structured = rows["structured"].to_numpy()
    observed = rows["observed_time"].cast(pa.int64()).to_numpy()
    headers = Headers.blank(bodies)
    headed = np.zeros(count, np.bool_)
    for one, name in enumerate(names):
        stream = parser.stream(name)
        for reader, kind in ((stream.raw, False), (stream.inner, True)):
            mine = np.flatnonzero((number == one) & (structured == kind))
            if len(mine):
                _read_some(reader, bodies, mine, observed, headers, leading=not kind)
        mine = np.flatnonzero((number == one) & ~structured)
        headed[mine] = np.logical_or.accumulate(headers.matched[mine]) | stream.headed
    return headers, headed


def _read_some(
    reader: HeaderReader, bodies: pa.Array, rows: Ints, observed: Ints, headers: Headers, leading: bool
) -> None:
    if reader.settings.format == "auto":
        rows = _read_objects(reader, bodies, rows, observed, headers)
        if len(rows) == 0:
            return
    whole = len(rows) == len(bodies)
    part = reader.read(bodies if whole else bodies.take(pa.array(rows)), observed[rows], leading)
    headers.put(rows, part)


def _read_objects(reader: HeaderReader, bodies: pa.Array, rows: Ints, observed: Ints, headers: Headers) -> Ints:
    """Read the rows that are JSON objects or logfmt; return the others."""
    taken = bodies if len(rows) == len(bodies) else bodies.take(pa.array(rows))
    maybe = pc.or_(pc.starts_with(taken, "{"), pc.match_substring_regex(taken, _LOGFMT)).to_numpy(zero_copy_only=False)
    if not maybe.any():
        return rows
    done = np.zeros(len(rows), np.bool_)
    times: list[str] = []
    for place in np.flatnonzero(maybe):
        row = int(rows[place])
        found = read_structured(taken[int(place)].as_py())
        if found is None:
            continue
        done[place] = True
        fields, extra = found
        headers.matched[row] = True
        headers.message[row] = fields.pop("message")
        times.append(fields.pop("time", ""))
        for name, value in fields.items():
            headers.column(name)[row] = value
        if extra:
            headers.extra[row] = extra
    _object_times(reader, times, rows[done], observed, headers)
    return rows[~done]


def _object_times(reader: HeaderReader, texts: list[str], rows: Ints, observed: Ints, headers: Headers) -> None:
    """Read the times of JSON and logfmt rows, each in the first layout that fits all of it."""
    column = pa.array(texts, pa.string())
    todo = np.array([text != "" for text in texts], np.bool_)
    for layout in TIME_LAYOUTS:
        if not todo.any():
            return
        fits = pc.match_substring_regex(column, rf"^(?:{layout.regex})$").to_numpy(zero_copy_only=False) & todo
        if not fits.any():
            continue
        some = rows[fits]
        times = read_times(
            column.filter(pa.array(fits)), layout, observed[some], reader.settings.year, reader.settings.timezone
        )
        headers.put_times(some, times)
        todo &= ~fits
    assert INVALID not in headers.time_us[headers.timed]
