"""Reading times: ISO 8601 and epoch numbers, whole columns at once.

Everything becomes microseconds since the epoch, UTC. A text without a zone is UTC. Epoch numbers tell their unit by
magnitude: from 1e8 seconds, from 1e11 milliseconds, from 1e14 microseconds, from 1e17 nanoseconds. Smaller numbers
are relative seconds where the input may have such (metric files), and wrong elsewhere.
"""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Times = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

RELATIVE_BELOW = 1e8
LATEST_US = 7_258_118_400_000_000  # the year 2200: nothing real is later
_ZONED = r"\d:?\d{2}.*(?:[zZ]|[+-]\d{2}(?::?\d{2})?)$"
_OTHER_FORMATS = ("%d/%b/%Y:%H:%M:%S %z", "%a, %d %b %Y %H:%M:%S %Z", "%a %b %d %H:%M:%S %Y")


def from_epoch(numbers: npt.NDArray[Any], relative: bool = False) -> tuple[Times, Mask]:
    """Return microseconds and which are usable; integers keep every digit. `relative`: accept small numbers."""
    whole = numbers.dtype.kind in "iu"
    with np.errstate(invalid="ignore", over="ignore"):
        size = numbers.astype(np.float64)
        usable = (size >= (0 if relative else RELATIVE_BELOW)) & (size < 1e20)
        safe = np.where(usable, numbers, 0)
        us = np.select(
            [size < 1e11, size < 1e14, size < 1e17],
            [safe * 1_000_000, safe * 1000, safe],
            default=safe // 1000 if whole else np.floor(safe / 1000),
        )
    us = us if whole else np.rint(us)
    usable &= us <= LATEST_US
    return np.where(usable, us, 0).astype(np.int64), usable


def from_text(text: pa.Array, relative: bool = False) -> tuple[Times, Mask]:
    """Return microseconds and which are usable, for a string column (null: not usable)."""
    count = len(text)
    us, usable = np.zeros(count, np.int64), np.zeros(count, np.bool_)
    if not count:
        return us, usable
    with suppress(pa.ArrowInvalid):
        return _numbers(pc.cast(text, pa.float64()), text, relative)
    zoned = pc.fill_null(pc.match_substring_regex(text, _ZONED), False).to_numpy(zero_copy_only=False)
    for rows, kind in ((zoned, pa.timestamp("ns", "UTC")), (~zoned, pa.timestamp("ns"))):
        where = np.flatnonzero(rows)
        us[where], usable[where] = _cast(text.take(pa.array(where)), kind, relative)
    usable &= (us >= 0) & (us <= LATEST_US)
    return np.where(usable, us, 0), usable


def _numbers(numbers: pa.Array, text: pa.Array, relative: bool) -> tuple[Times, Mask]:
    with suppress(pa.ArrowInvalid):  # whole numbers keep their last digits
        if not text.null_count:
            return from_epoch(pc.cast(text, pa.int64()).to_numpy(), relative)
    return from_epoch(numbers.to_numpy(zero_copy_only=False), relative)


def _cast(text: pa.Array, kind: pa.DataType, relative: bool) -> tuple[Times, Mask]:
    try:
        ns = pc.cast(pc.cast(text, kind), pa.int64())
    except pa.ArrowInvalid:
        found = [_parse_one(value, relative) for value in text.to_pylist()]
        return np.array([f or 0 for f in found], np.int64), np.array([f is not None for f in found], np.bool_)
    return pc.fill_null(ns, 0).to_numpy() // 1000, pc.is_valid(ns).to_numpy(zero_copy_only=False)


def _parse_one(text: str | None, relative: bool) -> int | None:
    if not text or len(text) > 64:
        return None
    text = text.strip()
    with suppress(ValueError, OverflowError):
        us, usable = from_epoch(np.array([float(text)]), relative)
        return int(us[0]) if usable[0] else None
    with suppress(ValueError, OverflowError):
        return _to_us(datetime.fromisoformat(text.replace(",", ".").replace("/", "-", 2)))
    for form in _OTHER_FORMATS:
        with suppress(ValueError, OverflowError):
            return _to_us(datetime.strptime(text, form))
    return None


def _to_us(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_values(values: list[Any]) -> tuple[Times, Mask]:
    """Return microseconds and which are usable, for the mixed values of a JSON field."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return from_text(pa.array(values, pa.string()))
    if kinds == {int}:
        with suppress(OverflowError):
            return from_epoch(np.array(values, np.int64))
    if kinds <= {int, float}:
        return from_epoch(np.array(values, np.float64))
    us, usable = np.zeros(len(values), np.int64), np.zeros(len(values), np.bool_)
    for kind in kinds & {str, int, float}:
        where = [i for i, value in enumerate(values) if type(value) is kind]
        us[where], usable[where] = from_values([values[i] for i in where])
    return us, usable
