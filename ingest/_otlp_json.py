"""OTLP's JSON to its protobuf messages, so that both encodings are read by the same code.

The rules are OTLP's, which are not those of protobuf's own JSON mapping: trace and span ids are hexadecimal, other
bytes base64, 64-bit integers may be numbers or text, enums are numbers, and unknown fields are ignored. A table a
message type, made once, says what each key is; the protobuf library then takes nested dictionaries whole.
"""

import base64
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ingest._load import load
from telemetry import DecodeError

_IDS = ("trace_id", "span_id", "parent_span_id")
_Reader = Callable[[Any], Any]


def message_from_json(message_type: Any, text: str) -> Any:
    """Return the message of a JSON text. Raises DecodeError (bad_json, too_deep)."""
    record = load(text)
    try:
        return message_type(**_message(_fields_of(message_type.DESCRIPTOR), record))
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        raise DecodeError("bad_json", f"not OTLP's JSON: {error}") from None


@lru_cache(maxsize=256)
def _fields_of(descriptor: Any) -> dict[str, tuple[str, _Reader]]:
    """Return for every JSON key of a message type (both spellings) the field's name and what reads its value."""
    found: dict[str, tuple[str, _Reader]] = {}
    for field in descriptor.fields:
        one = _reader(field)
        read = _list_of(one) if field.is_repeated else one
        found[field.json_name] = found[field.name] = field.name, read
    return found


def _reader(field: Any) -> _Reader:
    if field.message_type is not None:
        return lambda value: _message(_fields_of(field.message_type), value)
    if field.enum_type is not None:
        numbers = {value.name: value.number for value in field.enum_type.values}
        return lambda value: numbers[value] if value in numbers else int(value)
    if field.type == field.TYPE_BYTES:
        return bytes.fromhex if field.name in _IDS else base64.b64decode
    return {field.TYPE_STRING: _text, field.TYPE_BOOL: _bool, field.TYPE_DOUBLE: _double}.get(field.type, _integer)


def _message(fields: dict[str, tuple[str, _Reader]], record: Any) -> dict[str, Any]:
    found = {}
    for key, value in record.items():
        if value is not None and key in fields:
            name, read = fields[key]
            found[name] = read(value)
    return found


def _list_of(read: _Reader) -> _Reader:
    def read_all(values: Any) -> list[Any]:
        if not isinstance(values, list):
            raise TypeError(f"{values!r:.60} is not a list")
        return [read(value) for value in values]

    return read_all


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.60} is not text")
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r:.60} is neither true nor false")
    return value


def _double(value: Any) -> float:
    return float(value)  # "NaN", "Infinity" and "-Infinity" as well


def _integer(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise TypeError(f"{value!r:.60} is not an integer")
    return int(value)
