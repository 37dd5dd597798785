"""The rows of `templates` that one call of the parser adds: per template and service, what its records say."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from parsing._assemble import Records
from parsing._columns import Ints, Rows, Spans
from parsing._frames import ARROW, GIVEN, Frame, exported
from parsing._jit import Kernels
from telemetry import LINES, TEMPLATES

if TYPE_CHECKING:
    from parsing._parser import Stream

_EXAMPLE = 2000  # characters of a body kept as a template's example
_row_kernels = Kernels("parsing._row_kernels")
_FRAME = Frame(TEMPLATES)
_FROM_LINES = [(TEMPLATES.get_field_index(name), LINES.get_field_index(name)) for name in ("source", "partition")]
_SERVICE = TEMPLATES.get_field_index("service")
# Of each column: ours are rows of what `summarise` finds. Data 0 are the bodies, data 1 the templates.
_MADE_OF = {
    "example": (GIVEN, 0, 0),
    "template_id": (GIVEN, 2, 0),
    "first_seen": (GIVEN, 3, 0),
    "last_seen": (GIVEN, 4, 0),
}
_MADE_OF |= {"count": (GIVEN, 5, 0), "offset": (GIVEN, 6, 0), "template": (GIVEN, 7, 1)}
_SOURCES = np.array([_MADE_OF.get(name, (ARROW, 0, 0)) for name in TEMPLATES.names])


def deltas(records: Records, shares: Sequence[tuple["Stream", Rows]], number: Ints) -> pa.Table:
    """Return the TEMPLATES rows of some records, in order of first appearance.

    `number`: the template's number in its stream; `shares`: each stream's records.
    """
    columns, bodies, rows = records.columns, records.bodies, records.rows
    found, keys = np.empty((10, len(bodies)), np.int64), _keys(records, shares, number)
    count, longest = _row_kernels.summarise(
        keys, columns.ids, columns.time_us, rows.offsets, bodies.begins, bodies.ends, found
    )
    first = found[0, :count]
    if longest > _EXAMPLE:
        _shorten(bodies, found[1, :count], found[2, :count])
    texts = _texts(shares, number, first)
    sizes = np.fromiter(map(len, texts), np.int64, count)
    np.cumsum(sizes, out=found[9, :count])
    np.subtract(found[9, :count], sizes, out=found[8, :count])
    sources = _SOURCES.copy()
    for place, line in _FROM_LINES:  # a parser's rows are of one partition
        sources[place, 1] = rows.addresses[line]
    sources[_SERVICE, 1] = columns.service_address
    if not records.one_service:
        kept, sources[_SERVICE, 1] = exported(columns.service.take(pa.array(first)))
        columns.kept.append(kept)
    packed = np.frombuffer(b"".join(texts), np.uint8)
    return _FRAME.table(count, sources, found[1:], bodies.data, packed, found[1:], found[2:])


def _shorten(bodies: Spans, begins: Ints, ends: Ints) -> None:
    """Cut the examples that are too long, places in the bytes of bodies."""
    for row in np.flatnonzero(ends - begins > _EXAMPLE).tolist():
        begin = int(begins[row])
        text = bodies.data[begin : min(int(ends[row]), begin + 4 * _EXAMPLE)].tobytes().decode(errors="ignore")
        ends[row] = begin + len(text[:_EXAMPLE].encode())


def _keys(records: Records, shares: Sequence[tuple["Stream", Rows]], number: Ints) -> Ints:
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


def _texts(shares: Sequence[tuple["Stream", Rows]], number: Ints, rows: Ints) -> list[bytes]:
    """Return the templates of some records."""
    if len(shares) == 1:
        encoded = shares[0][0].miner.templates.encoded
        return [encoded[one] for one in number[rows].tolist()]
    stream_of = np.empty(len(number), np.int64)
    for place, (_, mine) in enumerate(shares):
        stream_of[mine] = place
    return [shares[stream_of[row]][0].miner.templates.encoded[number[row]] for row in rows]


def with_targets(templates: pa.Table, logs: pa.Table, lineage: list[dict[str, Any]]) -> pa.Table:
    """Add a row of count 0 for each rule, as the template it leads to may have no record yet."""
    rows = []
    for rule in lineage:
        record = logs.slice(rule["row"], 1).select(["service", "time", "body", "source", "partition", "offset"])
        one = record.to_pylist()[0]
        body = one.pop("body")[:_EXAMPLE]
        seen = one.pop("time")
        counts = {"first_seen": seen, "last_seen": seen, "count": 0, "example": body}
        rows.append({"template_id": rule["to_id"], "template": rule["template"], **counts, **one})
    return pa.concat_tables([templates, pa.Table.from_pylist(rows, TEMPLATES)]) if rows else templates
