"""Compiled loops over bytes. Importing this module compiles lazily and caches on disk; import it only when needed."""

import numpy as np
from numba import njit

from parsing._jit import compiled

_OTHER, _SPACE, _LETTER, _DIGIT = 0, 1, 2, 3
_KIND = np.zeros(256, np.uint8)
_KIND[[9, 10, 11, 12, 13, 32]] = _SPACE
_KIND[48:58] = _DIGIT
_KIND[65:91] = _LETTER
_KIND[97:123] = _LETTER
_KIND[128:] = _LETTER
for _joiner in b"_-./@#$%&*+\\~^":
    _KIND[_joiner] = 4  # joins the letters and digits around it into one word
KIND = _KIND

TOKEN_CAP = 512
"""Words of a message that take part in its template; what follows them is one parameter."""

_PRIME = np.uint64(1099511628211)
_BASIS = np.uint64(14695981039346656037)
_WILD = np.uint64(0x9E3779B97F4A7C15)


@njit(inline="always")
def _mix(state, value):  # type: ignore[no-untyped-def]
    state = (state ^ value) * _PRIME
    return state ^ (state >> np.uint64(29))


@compiled
def _is_name(data, start, first, stop):  # type: ignore[no-untyped-def]
    """Return whether data[start:stop] is letters around one digit, at `first` (`_masks._VERSIONED` says the same)."""
    underscores = 0
    for i in range(start, stop):
        if data[i] == 95:
            underscores += 1
        elif i != first and not (KIND[data[i]] == _LETTER and data[i] < 128):
            return False
    if first == start or data[start] == 95:
        return False
    if first == stop - 1:
        return underscores == 0 and stop - start >= 3
    return stop - start >= 4


@compiled
def _wild_word(data, start, end):  # type: ignore[no-untyped-def]
    """Hash a word with digits: what is constant in it is its head (`core.12`, `CPU#0`) and its full stops at the end.

    A name with one digit in it (`ssh2`, `utf8`, `log4j`, `jk2_init`) is an ordinary word: -> 0.
    """
    stop = end
    while stop > start and data[stop - 1] == 46:
        stop -= 1
    first = start
    while first < stop and KIND[data[first]] != _DIGIT:
        first += 1
    if _is_name(data, start, first, stop):
        return np.uint64(0)
    letters = start
    while letters < first and ((KIND[data[letters]] == _LETTER and data[letters] < 128) or data[letters] in (45, 95)):
        letters += 1
    state = _mix(_WILD, np.uint64(end - stop))
    marks = letters
    while marks < first and data[marks] in (35, 46, 47):
        marks += 1
    if marks == first and marks > letters:
        for i in range(start, first):
            state = _mix(state, np.uint64(data[i]))
    return state


@compiled
def fingerprint(data, start, end):  # type: ignore[no-untyped-def]
    """Hash the shape of data[start:end]: words with a digit count as one wildcard, runs of space as one space."""
    begin = np.uint64(start)
    stop = np.uint64(end)
    state = _BASIS
    word = _BASIS
    in_word = False
    digit = False
    space = False
    words = 0
    for i in range(begin, stop + np.uint64(1)):  # unsigned: no check for places counted from the end
        kind = KIND[data[i]] if i < stop else np.uint8(_SPACE)
        if kind >= _LETTER:
            if not in_word:
                begin = np.uint64(i)
            in_word = True
            digit = digit or kind == _DIGIT
            word = (word ^ np.uint64(data[i])) * _PRIME
            continue
        if in_word:
            if space and words > 0:
                state = _mix(state, np.uint64(32))
            if digit:
                wild = _wild_word(data, np.int64(begin), np.int64(i))
                word = word if wild == 0 else wild
            state = _mix(state, word)
            in_word = False
            digit = False
            space = False
            word = _BASIS
            words += 1
            if words >= TOKEN_CAP:
                break
        if kind == _SPACE:
            space = True
        else:
            if space and words > 0:
                state = _mix(state, np.uint64(32))
            space = False
            state = _mix(state, np.uint64(data[i]) + np.uint64(256))
            words += 1
            if words >= TOKEN_CAP:
                break
    return state if state != 0 else _WILD


@compiled
def find(keys, slots, key):  # type: ignore[no-untyped-def]
    """Return the slot of `key` in the open-addressing table (keys, slots), or -1."""
    mask = np.uint64(keys.size - 1)
    at = (key ^ (key >> np.uint64(32))) & mask
    while keys[at] != 0:
        if keys[at] == key:
            return slots[at]
        at = (at + np.uint64(1)) & mask
    return -1


@compiled
def insert(keys, slots, key, slot):  # type: ignore[no-untyped-def]
    """Put `key` -> `slot` into the table; it must have room."""
    mask = np.uint64(keys.size - 1)
    at = (key ^ (key >> np.uint64(32))) & mask
    while keys[at] != 0 and keys[at] != key:
        at = (at + np.uint64(1)) & mask
    keys[at] = key
    slots[at] = slot


@compiled
def insert_all(keys, slots, new_keys):  # type: ignore[no-untyped-def]
    """Put every key of `new_keys` into the table, its slot being its place."""
    for i in range(new_keys.size):
        insert(keys, slots, new_keys[i], i)


@compiled
def assign(data, begins, ends, row, keys, slots, slot_cluster, last_used, clock, cluster_template, out, unseen):  # type: ignore[no-untyped-def]
    """Give rows from `row` on their template until a shape is unseen; return that row (its key in unseen[0]) or n."""
    n = begins.size
    while row < n:
        key = fingerprint(data, begins[row], ends[row])
        slot = find(keys, slots, key)
        if slot < 0:
            unseen[0] = key
            return row
        last_used[slot] = clock + row
        out[row] = cluster_template[slot_cluster[slot]]
        row += 1
    return n


@compiled
def _match_at(data, i, end, literals, low, high):  # type: ignore[no-untyped-def]
    """Return where literals[low:high] ends when matched at data[i], a space matching a run of space; -1: no match."""
    for k in range(low, high):
        if literals[k] == 32:
            if i >= end or KIND[data[i]] != _SPACE:
                return -1
            while i < end and KIND[data[i]] == _SPACE:
                i += 1
        else:
            if i >= end or data[i] != literals[k]:
                return -1
            i += 1
    return i


@compiled
def _match_back(data, start, i, literals, low, high):  # type: ignore[no-untyped-def]
    """Return where literals[low:high] begins when it must end at data[i]; -1: no match."""
    for k in range(high - 1, low - 1, -1):
        if literals[k] == 32:
            if i <= start or KIND[data[i - 1]] != _SPACE:
                return -1
            while i > start and KIND[data[i - 1]] == _SPACE:
                i -= 1
        else:
            if i <= start or data[i - 1] != literals[k]:
                return -1
            i -= 1
    return i


@compiled
def fit(data, row_begins, row_ends, template, literals, literal_offsets, first_literal, wild, at, begins, ends, fits):  # type: ignore[no-untyped-def]
    """Find what each wildcard of a row's template stands for.

    Row i has template t = template[i], whose wild[t] + 1 literals start at first_literal[t]. Capture k of row i is
    data[begins[at[i] + k]:ends[at[i] + k]]. Shortest captures from the left; complete for patterns of this kind.
    """
    for row in range(row_begins.size):
        start, end = row_begins[row], row_ends[row]
        while start < end and KIND[data[start]] == _SPACE:
            start += 1
        while end > start and KIND[data[end - 1]] == _SPACE:
            end -= 1
        t = template[row]
        first, count, slot = first_literal[t], wild[t], at[row]
        i = _match_at(data, start, end, literals, literal_offsets[first], literal_offsets[first + 1])
        if count == 0:
            fits[row] = i == end
            continue
        last = -1
        if i >= 0:
            last = _match_back(
                data, i, end, literals, literal_offsets[first + count], literal_offsets[first + count + 1]
            )
        good = last >= 0
        for k in range(1, count):
            if not good:
                break
            low, high = literal_offsets[first + k], literal_offsets[first + k + 1]
            j = i
            stop = -1
            while j <= last:
                if high > low and literals[low] != 32:
                    place, border, mark = np.uint64(j), np.uint64(last), literals[low]
                    while place < border and data[place] != mark:
                        place += np.uint64(1)
                    j = np.int64(place)
                stop = _match_at(data, j, last, literals, low, high)
                if stop >= 0:
                    break
                j += 1
            good = stop >= 0
            if good:
                begins[slot + k - 1] = i
                ends[slot + k - 1] = j
                i = stop
        fits[row] = good
        if good:
            begins[slot + count - 1] = i
            ends[slot + count - 1] = last


@compiled
def gather(data, begins, ends, out, out_offsets):  # type: ignore[no-untyped-def]
    """Copy data[begins[i]:ends[i]] one after the other into `out`."""
    for i in range(begins.size):
        begin, at = np.uint64(begins[i]), np.uint64(out_offsets[i])
        for k in range(np.uint64(ends[i]) - begin):  # unsigned: no check for places counted from the end
            out[at + k] = data[begin + k]


@compiled
def objects(data, begins, ends, rows, out):  # type: ignore[no-untyped-def]
    """Set out[i] where rows[i] may be JSON or logfmt: it begins with `{`, or with a name and `=`."""
    for i in range(rows.size):
        at, end = begins[rows[i]], ends[rows[i]]
        if at < end and data[at] == 123:
            out[i] = True
            continue
        if at >= end or KIND[data[at]] == _DIGIT:
            continue
        while at < end and (KIND[data[at]] in (_LETTER, _DIGIT) or data[at] in (45, 46, 64, 95)):
            at += 1
        out[i] = at < end and data[at] == 61 and at > begins[rows[i]]


@compiled
def count_entries(begins, ends, offsets):  # type: ignore[no-untyped-def]
    """Set offsets[1:] to the running count of texts that are not empty, row by row (shape [kind, row])."""
    total = 0
    for row in range(begins.shape[1]):
        for kind in range(begins.shape[0]):
            total += ends[kind, row] > begins[kind, row]
        offsets[row + 1] = total


@compiled
def list_entries(begins, ends, kinds, entry_begins, entry_ends):  # type: ignore[no-untyped-def]
    """List the texts that are not empty, row by row, each with its kind."""
    at = 0
    for row in range(begins.shape[1]):
        for kind in range(begins.shape[0]):
            if ends[kind, row] > begins[kind, row]:
                kinds[at], entry_begins[at], entry_ends[at] = kind, begins[kind, row], ends[kind, row]
                at += 1


@compiled
def summarise(group, time, first, last, earliest, latest, count):  # type: ignore[no-untyped-def]
    """Return per group: first and last row, earliest and latest time, and rows. `count` begins as zeros."""
    for row in range(group.size):
        g = group[row]
        if count[g] == 0:
            first[g] = row
            earliest[g] = latest[g] = time[row]
        count[g] += 1
        last[g] = row
        if time[row] < earliest[g]:
            earliest[g] = time[row]
        if time[row] > latest[g]:
            latest[g] = time[row]


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
