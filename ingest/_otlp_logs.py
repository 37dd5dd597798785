"""OTLP log records to columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import xxhash

import telemetry
from ingest import _fields
from ingest._ahead import is_ahead
from ingest._columns import Attributes, Columns, lines_table
from ingest._json import Envelope
from ingest._otlp_values import Resource, attributes_of, id_of, plain_of, text_of
from ingest._tables import DeadLetters, Ints
from ingest._text import MAX_LINE, cut_line

_Messages = Sequence[tuple[int, Any]]


@dataclass
class _Gathered:
    """Records of several messages, and columns of what is said about each outside of it."""

    records: list[Any] = field(default_factory=list)
    owner: list[int] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    services: list[str | None] = field(default_factory=list)
    scopes: list[str | None] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    attributes: Attributes = field(default_factory=Attributes)

    def add(self, index: int, data: Any, service: str | None) -> None:
        """Take the records of a message in; `service` is that of resources which name none."""
        before = len(self.records)
        for group in data.resource_logs:
            resource = Resource.of(group.resource)
            for scoped in group.scope_logs:
                found = scoped.log_records
                self.records.extend(found)
                self.services.extend([resource.service or service] * len(found))
                self.scopes.extend([scoped.scope.name or None] * len(found))
                _read_texts(found, resource.attributes, self.bodies, self.attributes)
        count = len(self.records) - before
        self.owner.extend([index] * count)
        self.line.extend(range(1, count + 1))


def read_logs(messages: _Messages, envelope: Envelope, letters: DeadLetters) -> pa.Table:
    """Return LINES rows. The scope is the component, as it is the logger's name.

    A body that is a map with a message in it (`message`, `msg`, ...) gives that; its other fields become attributes.
    """
    found, default = _Gathered(), envelope.service.to_pylist()
    for index, data in messages:
        found.add(index, data, default[index])
    records, owner = found.records, np.array(found.owner, np.int64)
    levels = [record.severity_text or None for record in records]
    observed, arrived = _us([record.observed_time_unix_nano for record in records]), envelope.observed_us[owner]
    sane = (observed > 0) & ~is_ahead(observed, arrived, envelope.partition.written_us)
    columns = {
        "time": _us([record.time_unix_nano for record in records]),
        "observed_time": np.where(sane, observed, arrived),
        "service": found.services,
        "component": found.scopes,
        "severity_number": [_severity(r.severity_number, text) for r, text in zip(records, levels, strict=True)],
        "severity_text": levels,
        "body": found.bodies,
        "trace_id": [id_of(record.trace_id) for record in records],
        "span_id": [id_of(record.span_id) for record in records],
        "line": found.line,
    }
    return lines_table(Columns(columns, found.attributes, owner, envelope), letters)


def _severity(number: int, text: str | None) -> int | None:
    return number if 0 < number < 25 else telemetry.severity_number(text)


def _us(nanos: list[int]) -> Ints:
    """Return nanoseconds as microseconds; a time past the year 2262 as one that is impossible."""
    return (np.array(nanos, np.uint64) // 1000).astype(np.int64)


def _read_texts(records: Any, resource: dict[str, str], bodies: list[str], attributes: Attributes) -> None:
    for record in records:
        text, more = _body(record.body)
        notes: dict[str, str] = {}
        if len(text) * 4 > MAX_LINE:
            text, notes = _cut(text)
        bodies.append(text)
        if record.event_name:
            notes["event.name"] = record.event_name
        attributes.add({**resource, **more, **attributes_of(record.attributes), **notes})


def _body(body: Any) -> tuple[str, dict[str, str]]:
    """Return the message of a record and the fields of a structured body that are not it."""
    if body.WhichOneof("value") != "kvlist_value":
        return text_of(body), {}
    fields = plain_of(body)
    key = _fields.find(tuple(fields), "message").get("message")
    if key is None:
        return orjson.dumps(fields).decode(), {}
    rest = {name: _fields.text_of(value) for name, value in fields.items() if name != key and value is not None}
    return _fields.text_of(fields[key]), rest


def _cut(text: str) -> tuple[str, dict[str, str]]:
    data = text.encode()
    if len(data) <= MAX_LINE:
        return text, {}
    cut = cut_line(data[: MAX_LINE + 4], len(data), xxhash.xxh3_128_hexdigest(data))
    return cut.text[0].as_py(), dict(cut.notes[0])
