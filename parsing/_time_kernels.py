"""Times as bytes to microseconds, in compiled code."""

import numpy as np

from parsing._jit import compiled, inlined
from parsing._kernels import DIGIT as _DIGIT
from parsing._kernels import KIND, same
from parsing._wide import pointer
from parsing._zones import ZONES


@inlined
def _days(year, month, day):  # type: ignore[no-untyped-def]
    """Days from 1970-01-01 in the proleptic Gregorian calendar (Hinnant's days_from_civil)."""
    year -= month <= 2
    era = year // 400
    yoe = year - era * 400
    doy = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719468


_MONTHS = np.frombuffer(b"janfebmaraprmayjunjulaugsepoctnovdec", np.uint8)


@inlined
def _month(data, i):  # type: ignore[no-untyped-def]
    for m in range(12):
        if (
            (data[i] | 32) == _MONTHS[3 * m]
            and (data[i + 1] | 32) == _MONTHS[3 * m + 1]
            and (data[i + 2] | 32) == _MONTHS[3 * m + 2]
        ):
            return m + 1
    return 0


@inlined
def _month_length(year, month):  # type: ignore[no-untyped-def]
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


@inlined
def _month_at(data, i, end):  # type: ignore[no-untyped-def]
    """Return the next month that is named (0: none), and the place behind it."""
    while i + 2 < end:
        month = _month(data, i)
        if month:
            return month, i + 3
        i += 1
    return 0, i


@inlined
def _number(data, i, end, most):  # type: ignore[no-untyped-def]
    """Return the number that begins here, how many digits it has (at most `most`), and the place behind it."""
    value, first = 0, i
    stop = min(end, i + most)
    while i < stop and KIND[data[i]] == _DIGIT:
        value = value * 10 + data[i] - 48
        i += 1
    return value, i - first, i


@inlined
def _digits_at(data, i, end):  # type: ignore[no-untyped-def]
    while i < end and KIND[data[i]] != _DIGIT:
        i += 1
    return i


@inlined
def _fraction(value, digits, mark):  # type: ignore[no-untyped-def]
    """Return the microseconds of a fraction written after `mark`."""
    if mark == 58 and digits < 3:
        digits = 3  # after a colon: milliseconds without leading zeros
    while digits > 6:
        value //= 10
        digits -= 1
    while 0 < digits < 6:
        value *= 10
        digits += 1
    return value


@inlined
def _blanks_end(data, i, end):  # type: ignore[no-untyped-def]
    while i < end and data[i] == 32:
        i += 1
    return i


_ZONE_KEYS = np.array([int.from_bytes(name.encode(), "big") for name in ZONES], np.int64)
_ZONE_MINUTES = np.array(list(ZONES.values()), np.int64)


@inlined
def _zone_name(data, i, end):  # type: ignore[no-untyped-def]
    """Return the minutes a zone is ahead of UTC by its name, 0 for one of UTC's, and the place behind it."""
    key, first = 0, i
    while i < end and i - first < 4 and 65 <= data[i] <= 90:
        key = key * 256 + int(data[i])
        i += 1
    for k in range(_ZONE_KEYS.size):
        if _ZONE_KEYS[k] == key:
            return _ZONE_MINUTES[k], i
    return np.int64(0), i


@inlined
def _zone(data, i, end):  # type: ignore[no-untyped-def]
    """Return the minutes a zone is ahead of UTC, whether there is one, and the place behind it."""
    minutes, first = np.int64(0), i
    if i + 1 == end and data[i] == 90:  # Z, which is most common
        return minutes, True, end
    if i < end and 65 <= data[i] <= 90:
        minutes, i = _zone_name(data, i, end)
    if i >= end or (data[i] != 43 and data[i] != 45):
        return minutes, i > first, i
    sign = 1 if data[i] == 43 else -1
    value, digits = 0, 0
    i += 1
    while i < end and digits < 4:
        if KIND[data[i]] == _DIGIT:
            value = value * 10 + data[i] - 48
            digits += 1
        elif data[i] != 58:
            break
        i += 1
    if digits == 2:
        value *= 100
    return np.int64(sign * (value // 100 * 60 + value % 100)), True, i


@inlined
def _since_epoch(value, micro):  # type: ignore[no-untyped-def]
    """Return the microseconds of a time since the epoch, whose unit its magnitude tells."""
    if value < 100_000_000_000:
        return value * 1_000_000 + micro
    if value < 100_000_000_000_000:
        return value * 1000
    return value if value < 100_000_000_000_000_000 else value // 1000


_INVALID = np.iinfo(np.int64).min
_UNKNOWN = _INVALID + 1
_YEAR, _MONTH, _DAY, _HOUR, _MINUTE, _SECOND = range(6)
_PLACE = np.zeros(128, np.int64)  # by letter
_PLACE[[ord(letter) for letter in "YymdHMS"]] = [_YEAR, _YEAR, _MONTH, _DAY, _HOUR, _MINUTE, _SECOND]


@inlined
def _in_range(values):  # type: ignore[no-untyped-def]
    """Return whether there are such a date, if any is given, and such a clock time."""
    if values[_MONTH] > 0:
        if values[_MONTH] > 12 or not 1900 <= values[_YEAR] <= 2200:
            return False
        if not 1 <= values[_DAY] <= _month_length(values[_YEAR], values[_MONTH]):
            return False
    return values[_HOUR] < 24 and values[_MINUTE] < 60 and values[_SECOND] <= 60


@inlined
def _utc_us(values, day):  # type: ignore[no-untyped-def]
    """Return the microseconds from the epoch to a date, `day` if none is given, and clock time, if there are such."""
    if not _in_range(values):
        return _INVALID
    if values[_MONTH] > 0:
        day = _days(values[_YEAR], values[_MONTH], values[_DAY])
    return (day * 86400 + values[_HOUR] * 3600 + values[_MINUTE] * 60 + values[_SECOND]) * 1_000_000


@inlined
def _half_end(data, i, end):  # type: ignore[no-untyped-def]
    """Return the place behind AM or PM, 0 if neither is here."""
    half = _blanks_end(data, i, end)
    return half + 2 if half + 1 < end and (data[half + 1] | 32) == 109 and (data[half] | 32) in (97, 112) else 0


@inlined
def _micros(data, i, end, width):  # type: ignore[no-untyped-def]
    """Return the microseconds of the fraction that may be here, and the place behind it."""
    mark = data[i] if i < end else 0
    if mark != 46 and mark != 44 and mark != 58 and KIND[mark] != _DIGIT:
        return np.int64(0), i
    value, digits, i = _number(data, _digits_at(data, i, end), end, width)
    return np.int64(_fraction(value, digits, mark)), i


@inlined
def _seconds(data, i, end, fields, count, widths, f):  # type: ignore[no-untyped-def]
    """Read the seconds, which are field f, and what follows: (microseconds, minutes of the zone, whether there is one).

    -1 microseconds: these are no good seconds, or more follows than a fraction and a zone.
    """
    second, digits, i = _number(data, _digits_at(data, i, end), end, widths[f])
    if digits == 0 or second > 60:
        return np.int64(-1), 0, False
    micro, zone, zoned = np.int64(0), np.int64(0), False
    for k in range(f + 1, count):
        if fields[k] == 102:
            micro, i = _micros(data, i, end, widths[k])
        elif fields[k] == 122:
            zone, zoned, i = _zone(data, _blanks_end(data, i, end), end)
        elif fields[k] != 112 or _half_end(data, i, end):
            return np.int64(-1), 0, False
    return second * 1_000_000 + micro, zone, zoned


@compiled
def parse_times(data, begins, ends, fields, widths, years, days, out, zoned):  # type: ignore[no-untyped-def]
    """Read times of one layout into microseconds since the epoch, as if UTC unless a zone is written.

    `fields` holds the letters of strftime in order (Y m d H M S f b y p z s), w for a word that is passed over;
    `widths` the most digits each takes.
    `years`, `days` (days since the epoch) stand in for an absent year or date. out is int64 min where invalid.
    A time that begins as the one before it, up to the minutes, is read from there.
    """
    text, letters, most = pointer(data), pointer(fields), pointer(widths)
    values, kept = np.zeros(6, np.int64), np.zeros(6, np.int64)  # of a row; those before the seconds of the last row
    resume, prefix, minute = 0, 0, _UNKNOWN  # field of the seconds, bytes before them, and microseconds
    for row in range(begins.size):
        i, end = begins[row], ends[row]
        f, good, epoch, micro, zone, digits = 0, i < end, -1, np.int64(0), np.int64(0), 0
        zoned[row] = False
        before = begins[row - 1] if row > 0 else i
        alike = prefix > 0 and end - i > prefix and years[row] == years[row - 1] and days[row] == days[row - 1]
        if alike and max(i, before) + prefix + 8 <= data.size and same(text, i, text, before, prefix):
            f, i = resume, i + prefix
            if minute == _UNKNOWN:
                minute = _utc_us(pointer(kept), days[row])
            micro, zone, zoned[row] = _seconds(text, i, end, letters, fields.size, most, f)
            if micro >= 0 and minute != _INVALID:
                out[row] = minute - zone * 60_000_000 + micro
                continue
            micro, zone, zoned[row] = np.int64(0), np.int64(0), False
            values[:] = kept
        else:
            values[:], prefix = 0, 0
            values[_YEAR] = years[row]
        while f < fields.size:
            letter = fields[f]
            whole = digits == 2 and good and zone == 0  # a minute of one digit may go on in the next row
            if letter == 83 and prefix == 0 and whole:
                resume, prefix, minute = f, i - begins[row], _UNKNOWN
                kept[:] = values
            f += 1
            if letter == 122:  # z
                zone, zoned[row], i = _zone(text, _blanks_end(text, i, end), end)
                continue
            if letter == 112:  # p is optional
                half = _half_end(text, i, end)
                if half:
                    values[_HOUR] = values[_HOUR] % 12 + (12 if (text[half - 2] | 32) == 112 else 0)
                    i = half
                continue
            if letter == 119:  # w
                i = _blanks_end(text, i, end)
                while i < end and text[i] != 32:
                    i += 1
                continue
            if letter == 98:  # b
                values[_MONTH], i = _month_at(text, i, end)
                good = good and values[_MONTH] > 0
                continue
            if letter == 102:  # f is optional
                micro, i = _micros(text, i, end, widths[f - 1])
                continue
            value, digits, i = _number(text, _digits_at(text, i, end), end, widths[f - 1])
            good = good and digits > 0
            if letter == 115:  # s
                epoch, zoned[row] = value, True
            else:
                short = letter == 121 or (letter == 89 and digits == 2)
                values[_PLACE[letter]] = value + (0 if not short else 2000 if value < 70 else 1900)
        if epoch >= 0:
            out[row] = _since_epoch(epoch, micro) if good else _INVALID
            continue
        us = _utc_us(pointer(values), days[row]) if good else _INVALID
        out[row] = us + (micro - zone * 60_000_000) if us != _INVALID else _INVALID
