"""JSON log records to columns, shape by shape: records with the same keys are columns of values already."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

import telemetry
from ingest import _fields
from ingest._tables import attributes

LEVEL_NUMBERS = {  # bunyan and pino; below 10 syslog's, as in GELF
    10: "trace",
    20: "debug",
    30: "info",
    40: "warn",
    50: "error",
    60: "fatal",
    **dict(enumerate(("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"))),
}
Row = tuple[int, str, dict[str, Any], _fields.Shape]
"""Index in the batch, text, record, and what its keys mean."""
_NAMES = ("severity_text", "severity_number", "body", "service", "component", "trace_id", "span_id")
_Values = Sequence[Any]


def log_columns(rows: Sequence[Row], services: Sequence[str | None], notes: Mapping[int, dict[str, str]]) -> Any:
    """Return the columns of log records. `services`, `notes`: what is known of each from outside, by index."""
    groups: dict[int, list[int]] = {}
    for at, row in enumerate(rows):
        groups.setdefault(id(row[3]), []).append(at)
    if not groups:
        return dict.fromkeys((*_NAMES, "attributes"))
    parts = [_group([rows[at] for at in places], services, notes) for places in groups.values()]
    if len(parts) == 1:
        return parts[0]
    order = pa.array(np.argsort(np.concatenate([np.array(places, np.int64) for places in groups.values()])))
    return {name: pa.concat_arrays([part[name] for part in parts]).take(order) for name in parts[0]}


def _group(rows: Sequence[Row], services: Sequence[str | None], notes: Mapping[int, dict[str, str]]) -> Any:
    """Return the columns of records that have the same keys in the same order."""
    shape, indexes = rows[0][3], [row[0] for row in rows]
    values = {key: [row[2][key] for row in rows] for key in rows[0][2]}
    none = (None,) * len(rows)

    def named(meaning: str) -> _Values:
        return values.get(shape.keys.get(meaning, ""), none)

    levels = _of_each(named("severity"), _level_text)
    if "severity_number" in shape.keys:
        numbers = list(map(_severity, named("severity_number"), levels))
    else:
        numbers = _of_each(levels, telemetry.severity_number)
    known = [services[index] for index in indexes]
    stated = map(_fields.service_of, named("service")) if "service" in shape.keys else none
    columns = {
        "severity_text": levels,
        "severity_number": numbers,
        "body": [
            row[1] if message is None else _fields.text_of(message).rstrip("\r\n")
            for row, message in zip(rows, named("message"), strict=True)
        ],
        "service": [own or other for own, other in zip(stated, known, strict=True)],
        "component": _texts(named("component")),
        "trace_id": [_fields.id_of(value) for value in named("trace_id")],
        "span_id": [_fields.id_of(value) for value in named("span_id")],
    }
    kinds = {name: telemetry.LINES.field(name).type for name in columns}
    rest = {key: _texts(values[key]) for key in shape.rest}
    whole = None not in named("message") and not any(None in column for column in rest.values())
    if whole and not any(index in notes for index in indexes):
        extras = _maps(rest, len(rows))
    else:
        extras = attributes(
            [
                ({key: text[at] for key, text in rest.items() if text[at] is not None} if message is not None else {})
                | notes.get(indexes[at], {})
                for at, message in enumerate(named("message"))
            ]
        )
    return {name: pa.array(column, kinds[name]) for name, column in columns.items()} | {"attributes": extras}


def _maps(texts: Mapping[str, _Values], rows: int) -> pa.Array:
    """Return the attributes column of rows that all have these, as texts."""
    if not texts:
        return pa.nulls(rows, telemetry.ATTRIBUTES)
    count = len(texts)
    offsets = np.arange(0, (rows + 1) * count, count, dtype=np.int32)
    keys = pa.array(list(texts), pa.string()).take(pa.array(np.tile(np.arange(count), rows)))
    items = pa.array(list(chain.from_iterable(zip(*texts.values(), strict=True))), pa.string())
    return pa.MapArray.from_arrays(offsets, keys, items).cast(telemetry.ATTRIBUTES)


def _texts(values: _Values) -> _Values:
    """Return JSON values as text, null where they are."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return values
    if kinds in ({int}, {float}, {bool}):
        return orjson.dumps(values)[1:-1].decode().split(",")
    return [None if value is None else _fields.text_of(value) for value in values]


def _of_each(values: _Values, make: Callable[[Any], Any]) -> list[Any]:
    """Return what is made of each value, null of null; of values of one kind, once for each there is."""
    if set(map(type, values)) <= {str} or set(map(type, values)) == {int}:
        made = {value: make(value) for value in set(values)}
        return [made[value] for value in values]
    return [None if value is None else make(value) for value in values]


def _level_text(level: Any) -> str:
    if type(level) is str and level.isdecimal() and len(level) < 3:  # systemd's journal
        level = int(level)
    return LEVEL_NUMBERS.get(level, str(level)) if type(level) is int else _fields.text_of(level)


def _severity(number: Any, text: str | None) -> int | None:
    if type(number) is int and 1 <= number <= 24:
        return number
    return telemetry.severity_number(text)
