"""The rows of `templates` that one call of the parser adds: per template and service, what its records say."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parsing._assemble import Records
from parsing._columns import Ints, Rows, int_column, ints, one_chunk
from telemetry import LINES, TEMPLATES, TIME

if TYPE_CHECKING:
    from parsing._parser import Stream

_EXAMPLE = 2000  # characters of a body kept as a template's example
_INT64, _STRING = pa.int64(), pa.string()
_CONSTANT = [LINES.get_field_index(name) for name in ("source", "partition")]  # a parser's rows are of one partition
_OFFSET = LINES.get_field_index("offset")


def deltas(records: Records, ids: Ints, shares: Sequence[tuple["Stream", Rows]], number: Ints) -> pa.Table:
    """Return the TEMPLATES rows of some records, in order of first appearance.

    `ids`: of their templates; `number`: the template's number in its stream; `shares`: each stream's records.
    """
    from parsing._text_kernels import summarise

    rows = len(ids)
    scratch = 1 << (2 * rows).bit_length()
    table, places, found = np.full(scratch, -1, np.int64), np.empty(scratch, np.int64), np.empty((5, rows), np.int64)
    keys = _keys(records, shares, number)
    count, largest = summarise(keys, records.time_us, records.bodies.sizes, table, places, found)
    first, last, earliest, latest, counts = found[:, :count]
    at = int_column(first, _INT64)
    example = one_chunk(records.columns["body"]).take(at)
    columns = (
        int_column(ids[first], _INT64),
        records.service[:count] if records.one_service else records.service.take(at),
        pa.array(_texts(shares, number, first), _STRING),
        int_column(earliest, TIME),
        int_column(latest, TIME),
        int_column(counts, _INT64),
        pc.utf8_slice_codeunits(example, 0, _EXAMPLE) if largest > _EXAMPLE else example,
        *(one_chunk(records.rows.column(place)).slice(0, count) for place in _CONSTANT),
        int_column(ints(records.rows.column(_OFFSET))[last], _INT64),
    )
    return pa.Table.from_arrays(columns, schema=TEMPLATES)


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
    """Add a row of count 0 for each template that a rule leads to but no record of this call has."""
    known = set(templates["template_id"].to_pylist())
    rows = []
    for rule in lineage:
        if rule["to_id"] not in known:
            known.add(rule["to_id"])
            record = logs.slice(rule["row"], 1).select(["service", "time", "body", "source", "partition", "offset"])
            one = record.to_pylist()[0]
            body = one.pop("body")[:_EXAMPLE]
            seen = one.pop("time")
            counts = {"first_seen": seen, "last_seen": seen, "count": 0, "example": body}
            rows.append({"template_id": rule["to_id"], "template": rule["template"], **counts, **one})
    return pa.concat_tables([templates, pa.Table.from_pylist(rows, TEMPLATES)]) if rows else templates
