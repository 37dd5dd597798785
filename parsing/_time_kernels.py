"""Times as bytes to microseconds, in compiled code."""

import numpy as np

from parsing._jit import compiled
from parsing._kernels import DIGIT as _DIGIT
from parsing._kernels import KIND


@compiled
def _days(year, month, day):  # type: ignore[no-untyped-def]
    """Days from 1970-01-01 in the proleptic Gregorian calendar (Hinnant's days_from_civil)."""
    year -= month <= 2
    era = year // 400
    yoe = year - era * 400
    doy = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719468


_MONTHS = np.frombuffer(b"janfebmaraprmayjunjulaugsepoctnovdec", np.uint8)


@compiled
def _month(data, i):  # type: ignore[no-untyped-def]
    for m in range(12):
        if (
            (data[i] | 32) == _MONTHS[3 * m]
            and (data[i + 1] | 32) == _MONTHS[3 * m + 1]
            and (data[i + 2] | 32) == _MONTHS[3 * m + 2]
        ):
            return m + 1
    return 0


@compiled
def _month_length(year, month):  # type: ignore[no-untyped-def]
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


@compiled
def parse_times(data, begins, ends, fields, widths, years, days, out, zoned):  # type: ignore[no-untyped-def]
    """Read times of one layout into microseconds since the epoch, as if UTC unless a zone is written.

    `fields` holds the letters of strftime in order (Y m d H M S f b y p z s), `widths` the most digits each takes.
    `years`, `days` (days since the epoch) stand in for an absent year or date. out is int64 min where invalid.
    """
    invalid = np.iinfo(np.int64).min
    for row in range(begins.size):
        i, end = begins[row], ends[row]
        year, month, day, hour, minute, second, micro, zone = years[row], 0, 0, 0, 0, 0, 0, 0
        epoch = -1
        good = i < end
        zoned[row] = False
        for f in range(fields.size):
            letter = fields[f]
            if letter == 122:  # z
                while i < end and data[i] == 32:
                    i += 1
                if i < end and (data[i] == 90 or data[i] == 85 or data[i] == 71):
                    zoned[row] = True
                elif i < end and (data[i] == 43 or data[i] == 45):
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
                    zone = sign * (value // 100 * 60 + value % 100)
                    zoned[row] = True
                continue
            if letter == 112:  # p
                while i < end and data[i] == 32:
                    i += 1
                if i < end:
                    afternoon = (data[i] | 32) == 112
                    hour = hour % 12 + (12 if afternoon else 0)
                continue
            if letter == 98:  # b
                while i + 2 < end and _month(data, i) == 0:
                    i += 1
                good = good and i + 2 < end
                if good:
                    month = _month(data, i)
                    i += 3
                continue
            mark = data[i] if i < end else 0
            if letter == 102 and mark != 46 and mark != 44 and mark != 58:
                continue  # f is optional
            while i < end and KIND[data[i]] != _DIGIT:
                i += 1
            value, digits = 0, 0
            while i < end and digits < widths[f] and KIND[data[i]] == _DIGIT:
                value = value * 10 + data[i] - 48
                digits += 1
                i += 1
            if letter == 102:
                if mark == 58 and digits < 3:
                    digits = 3  # after a colon: milliseconds without leading zeros
                while digits > 6:
                    value //= 10
                    digits -= 1
                while 0 < digits < 6:
                    value *= 10
                    digits += 1
                micro = value
                continue
            good = good and digits > 0
            if letter == 89:
                year = value
            elif letter == 121:
                year = value + (2000 if value < 70 else 1900)
            elif letter == 109:
                month = value
            elif letter == 100:
                day = value
            elif letter == 72:
                hour = value
            elif letter == 77:
                minute = value
            elif letter == 83:
                second = value
            elif letter == 115:  # s: epoch, unit by magnitude
                epoch = value
                zoned[row] = True
        if epoch >= 0:
            if epoch < 100_000_000_000:
                out[row] = epoch * 1_000_000 + micro
            elif epoch < 100_000_000_000_000:
                out[row] = epoch * 1000
            elif epoch < 100_000_000_000_000_000:
                out[row] = epoch
            else:
                out[row] = epoch // 1000
            if not good:
                out[row] = invalid
            continue
        base = days[row]
        if month > 0:
            good = good and 1 <= month <= 12 and 1900 <= year <= 2200
            if good:
                good = 1 <= day <= _month_length(year, month)
            if good:
                base = _days(year, month, day)
        good = good and hour < 24 and minute < 60 and second <= 60
        if good:
            out[row] = (base * 86400 + hour * 3600 + (minute - zone) * 60 + second) * 1_000_000 + micro
        else:
            out[row] = invalid
