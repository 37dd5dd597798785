"""The rows of `templates` that one call of the parser adds: per template and service, what its records say."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parsing._assemble import Records
from parsing._columns import Ints, Rows, Spans, int_column, ints, one_chunk
from parsing._jit import Kernels
from telemetry import LINES, TEMPLATES, TIME

if TYPE_CHECKING:
    from parsing._parser import Stream

_EXAMPLE = 2000  # characters of a body kept as a template's example
_INT64, _STRING = pa.int64(), pa.string()
_row_kernels = Kernels("parsing._row_kernels")
_CONSTANT = [LINES.get_field_index(name) for name in ("source", "partition")]  # a parser's rows are of one partition
_OFFSET = LINES.get_field_index("offset")


def deltas(records: Records, ids: Ints, shares: Sequence[tuple["Stream", Rows]], number: Ints) -> pa.Table:
    """Return the TEMPLATES rows of some records, in order of first appearance.

    `ids`: of their templates; `number`: the template's number in its stream; `shares`: each stream's records.
    """
    found, bodies = np.empty((8, len(ids)), np.int64), records.bodies
    keys, offsets = _keys(records, shares, number), ints(records.rows.column(_OFFSET))
    count, longest = _row_kernels.summarise(keys, ids, records.time_us, offsets, bodies.begins, bodies.ends, found)
    first, begins, ends = found[0, :count], found[1, :count], found[2, :count]
    numbers = pa.py_buffer(found[3:, :count].tobytes())
    example = Spans(bodies.data, begins, ends).column()
    columns = (
        _from(numbers, 0, count, _INT64),
        records.service.slice(0, count) if records.one_service else records.service.take(int_column(first, _INT64)),
        pa.array(_texts(shares, number, first), _STRING),
        _from(numbers, 1, count, TIME),
        _from(numbers, 2, count, TIME),
        _from(numbers, 3, count, _INT64),
        pc.utf8_slice_codeunits(example, 0, _EXAMPLE) if longest > _EXAMPLE else example,
        *(one_chunk(records.rows.column(place)).slice(0, count) for place in _CONSTANT),
        _from(numbers, 4, count, _INT64),
    )
    return pa.Table.from_arrays(columns, schema=TEMPLATES)


def _from(numbers: pa.Buffer, row: int, count: int, kind: pa.DataType) -> pa.Array:
    """Return a row of `count` numbers, of several in a buffer, as a column."""
    return pa.Array.from_buffers(kind, count, [None, numbers], 0, row * count)


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
    coded = records.service.dictionary_encode()
    keys = keys * len(coded.dictionary)
    keys += coded.indices.to_numpy(zero_copy_only=False)
    return keys


def _texts(shares: Sequence[tuple["Stream", Rows]], number: Ints, rows: Ints) -> list[str]:
    if len(shares) == 1:
        texts = shares[0][0].miner.templates.texts
        return [texts[one] for one in number[rows].tolist()]
    stream_of = np.empty(len(number), np.int64)
    for place, (_, mine) in enumerate(shares):
        stream_of[mine] = place
    return [shares[stream_of[row]][0].miner.templates.texts[number[row]] for row in rows]


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
