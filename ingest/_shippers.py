"""JSON messages that shippers pack several records into: arrays, and the forms of Fluentd's forward protocol."""

from collections.abc import Iterator
from typing import Any

import orjson

from ingest._load import load
from telemetry import DecodeError


def unpack(value: bytes) -> bytes:
    """Return a message that is a JSON array of records as one record a line, any other as it is.

    Known are `[record, ...]` (Fluent Bit, Vector) and Fluentd's `[tag, time, record]`, `[tag, [[time, record], ...]]`
    and `[[time, record], ...]`; tag and time become fields of a record that has none of that name.
    """
    if value[:1] != b"[" or not value.rstrip().endswith(b"]"):
        return value
    try:
        packed = load(value.decode())
    except (DecodeError, UnicodeDecodeError):
        return value
    records = list(_records(packed))
    return b"\n".join(map(orjson.dumps, records)) if records and None not in records else value


def _records(packed: list[Any]) -> Iterator[dict[str, Any] | None]:
    """Yield the records in a list; None for what is none."""
    match packed:
        case [str(tag), [*entries]]:
            yield from (_entry(entry, tag) for entry in entries)
        case [str(tag), time, dict(record), *_]:
            yield _entry([time, record], tag)
        case [[_, dict()], *_]:
            yield from (_entry(entry, None) for entry in packed)
        case _:
            yield from (record if isinstance(record, dict) else None for record in packed)


def _entry(entry: Any, tag: str | None) -> dict[str, Any] | None:
    match entry:
        case [[time, *_], dict(record)] | [time, dict(record)]:  # Fluent Bit may add metadata to the time
            return ({"time": time} if time is not None else {}) | ({"tag": tag} if tag else {}) | record
    return None
