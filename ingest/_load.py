"""JSON texts to values, of what loggers write, however deep somebody nested it."""

import json
from typing import Any

import numpy as np
import orjson

from telemetry import DecodeError

MAX_DEPTH = 64
_STEP = np.zeros(256, np.int8)  # what a byte does to the depth
_STEP[[ord("["), ord("{")]], _STEP[[ord("]"), ord("}")]] = 1, -1


def load(text: str) -> Any:
    """Return the value of a JSON text; NaN and infinities are read too. Raises DecodeError (bad_json, too_deep)."""
    check_depth(text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        first = error
    try:  # control characters in strings, NaN, lone surrogates: loggers write them
        return _mend(json.loads(text, strict=False, parse_int=_integer))
    except (ValueError, RecursionError):
        raise DecodeError("bad_json", f"not JSON: {first}") from None


def _integer(text: str) -> int | float:
    """Return an integer, or a float where 64 bits cannot hold it, as orjson does."""
    value = float(text)
    return int(text) if -(2**63) < value < 2**64 else value


def check_depth(text: str) -> None:
    """Raise DecodeError (too_deep) for a JSON text, or the beginning of one, nested deeper than any decoder bears."""
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise DecodeError("too_deep", f"nested more than {MAX_DEPTH} deep")


def _depth(text: str) -> int:
    """Return how deep brackets outside of strings nest, in a text or the beginning of one."""
    data = text.encode("utf-8", "surrogatepass").replace(rb"\\", b"  ").replace(rb"\"", b"  ")
    marks = np.frombuffer(data, np.uint8)
    step = _STEP[marks]
    step[np.bitwise_xor.accumulate(marks == ord('"'))] = 0
    return int(np.cumsum(step, dtype=np.int32).max(initial=0))


def _mend(value: Any) -> Any:
    """Replace lone surrogates, which no table can hold, by their escapes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_mend(item) for item in value]
    if isinstance(value, dict):
        return {_mend(key): _mend(item) for key, item in value.items()}
    return value
