"""The rows of `templates` that one call of the parser adds: per template and service, what its records say."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from parsing._assemble import Records
from parsing._columns import Ints, Spans
from parsing._frames import ARROW, GIVEN, LINE, Frame, described
from parsing._jit import Kernels
from telemetry import LINES, TEMPLATES

if TYPE_CHECKING:
    from parsing._parser import Stream

Rule = dict[str, Any]
"""A row of LINEAGE, and besides the record's `row` in its batch, and the `template` it leads to."""
_EXAMPLE = 2000  # characters of a body kept as a template's example
_row_kernels = Kernels("parsing._row_kernels")
_FRAME = Frame(TEMPLATES)
_FROM_LINES = [(TEMPLATES.get_field_index(name), LINES.get_field_index(name)) for name in ("source", "partition")]
_SERVICE = TEMPLATES.get_field_index("service")
# Rows of what `summarise` finds, data 0 being the bodies and data 1 the templates; the others are columns of the lines.
_MADE_OF = {
    "example": (GIVEN, 0, 0),
    "template_id": (GIVEN, 2, 0),
    "first_seen": (GIVEN, 3, 0),
    "last_seen": (GIVEN, 4, 0),
}
_MADE_OF |= {"count": (GIVEN, 5, 0), "offset": (GIVEN, 6, 0), "template": (GIVEN, 7, 1)}
_SOURCES = np.array([_MADE_OF.get(name) or (LINE, LINES.get_field_index(name), 0) for name in TEMPLATES.names])


def deltas(
    records: Records, shares: Sequence[tuple["Stream", Ints | None]], number: Ints, rules: Sequence[Rule]
) -> pa.RecordBatch:
    """Return the TEMPLATES rows of some records, in order of first appearance.

    `number`: the template's number in its stream; `shares`: each stream's records. Behind them comes a row of count 0
    for each rule, as the template it leads to may have no record yet.
    """
    columns, found = records.columns, np.empty((10, len(number) + len(rules)), np.int64)
    bodies, rows, keys = columns.bodies, columns.lines, _keys(records, shares, number)
    count, longest = _row_kernels.summarise(keys, columns.numbers, rows.places, bodies.begins, bodies.ends, found)
    texts = _texts(shares, number, found[0, :count])
    for rule in rules:
        row, text, end = rule["row"], rule["template"].encode(), found[9, count - 1]
        place, seen = (bodies.begins[row], bodies.ends[row]), columns.time_us[row]
        found[:, count] = row, *place, rule["to_id"], seen, seen, 0, rows.offsets[row], end, end + len(text)
        longest = max(longest, place[1] - place[0])
        texts.append(text)
        count += 1
    if longest > _EXAMPLE:
        _shorten(bodies, found[1, :count], found[2, :count])
    sources = _SOURCES
    taken = [] if records.one_service else [(_SERVICE, columns.service)]
    if rules:  # there may be more rows than records
        taken = [(_SERVICE, columns.service), *((place, rows.batch.column(line)) for place, line in _FROM_LINES)]
    if taken or columns.service_at:
        sources = _SOURCES.copy()
        sources[_SERVICE] = ARROW, columns.service_at, 0
    for place, column in taken:
        column = column.take(pa.array(found[0, :count]))
        kept, address = described(column)
        columns.kept += kept, column
        sources[place] = ARROW, address, 0
    packed, numbers = np.frombuffer(b"".join(texts), np.uint8), found[1:]
    return _FRAME.batch(count, sources, rows.columns, numbers, bodies.data, packed, numbers, found[2:])


def _shorten(bodies: Spans, begins: Ints, ends: Ints) -> None:
    """Cut the examples that are too long, places in the bytes of bodies."""
    for row in np.flatnonzero(ends - begins > _EXAMPLE).tolist():
        begin = int(begins[row])
        text = bodies.data[begin : min(int(ends[row]), begin + 4 * _EXAMPLE)].tobytes().decode(errors="ignore")
        ends[row] = begin + len(text[:_EXAMPLE].encode())


def _keys(records: Records, shares: Sequence[tuple["Stream", Ints | None]], number: Ints) -> Ints:
    """Return a number for each record that tells apart streams, templates and services."""
    keys, base = number, 0
    if len(shares) > 1:
        keys = number.copy()
        for stream, mine in shares:
            keys[mine] += base
            base += len(stream.miner.templates.texts)
    if records.one_service:
        return keys
    coded = records.columns.service.slice(0, len(number)).dictionary_encode()
    keys = keys * len(coded.dictionary)
    keys += coded.indices.to_numpy(zero_copy_only=False)
    return keys


def _texts(shares: Sequence[tuple["Stream", Ints | None]], number: Ints, rows: Ints) -> list[bytes]:
    """Return the templates of some records."""
    if len(shares) == 1:
        encoded = shares[0][0].miner.templates.encoded
        return [encoded[one] for one in number[rows].tolist()]
    stream_of = np.empty(len(number), np.int64)
    for place, (_, mine) in enumerate(shares):
        stream_of[mine] = place
    return [shares[stream_of[row]][0].miner.templates.encoded[number[row]] for row in rows]
