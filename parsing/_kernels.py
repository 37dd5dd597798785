"""Compiled loops over bytes. Importing this module compiles lazily and caches on disk; import it only when needed."""

import numpy as np
from numba import njit

from parsing._jit import compiled

_OTHER, _SPACE, _LETTER, _JOINER, _SLASH, _DIGIT = 0, 1, 2, 4, 8, 16  # bits: a word's are or-ed
_KIND = np.zeros(256, np.uint8)
_KIND[[9, 10, 11, 12, 13, 32]] = _SPACE
_KIND[48:58] = _DIGIT
_KIND[65:91] = _LETTER
_KIND[97:123] = _LETTER
_KIND[128:] = _LETTER
for _joiner in b"_-.$%*+\\~^":
    _KIND[_joiner] = _JOINER  # joins the letters and digits around it into one word
_KIND[47] = _SLASH  # so does a slash
KIND, DIGIT = _KIND, _DIGIT

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
def _wild_word(data, start, end, slash):  # type: ignore[no-untyped-def]
    """Hash a word with digits: what is constant in it is its head (`core.12`), and full stops and a `%` at the end.

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
    split = slash and data[start] != 47
    if split:
        slashes = 0
        for i in range(start, stop):
            slashes += data[i] == 47
        split = slashes == 1
    state = _mix(_WILD, np.uint64(end - stop) * np.uint64(4) + np.uint64(data[stop - 1] == 37) + np.uint64(2 * split))
    marks = letters
    while marks < first and data[marks] in (46, 47):
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
    seen = np.uint8(0)
    space = False
    words = 0
    for i in range(begin, stop + np.uint64(1)):  # unsigned: no check for places counted from the end
        kind = KIND[data[i]] if i < stop else np.uint8(_SPACE)
        if kind >= _LETTER:
            if not in_word:
                begin = np.uint64(i)
            in_word = True
            seen |= kind
            word = (word ^ np.uint64(data[i])) * _PRIME
            continue
        if in_word:
            if space and words > 0:
                state = _mix(state, np.uint64(32))
            if seen & _DIGIT:
                wild = _wild_word(data, np.int64(begin), np.int64(i), seen & _SLASH != 0)
                word = word if wild == 0 else wild
            state = _mix(state, word)
            in_word = False
            seen = np.uint8(0)
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
def _fit_sparse(data, start, end, literals, literal_offsets, first, count, begins, ends, slot):  # type: ignore[no-untyped-def]
    """Find the captures of a row that fits only if one between two blanks may be empty, of fewer blanks."""
    i = _match_at(data, start, end, literals, literal_offsets[first], literal_offsets[first + 1])
    low, high = literal_offsets[first + count], literal_offsets[first + count + 1]
    blank = high > low and literals[low] == 32
    last = _match_back(data, i, end, literals, low + blank, high) if i >= 0 else -1
    if last < 0 or (blank and (last == start or KIND[data[last - 1]] != _SPACE)):
        return False
    for k in range(1, count):
        low, high = literal_offsets[first + k], literal_offsets[first + k + 1]
        j, stop = i, -1
        if high > low and literals[low] == 32 and i > start and KIND[data[i - 1]] == _SPACE:
            stop = _match_at(data, i, last, literals, low + 1, high)
        while stop < 0 and j <= last:
            stop = _match_at(data, j, last, literals, low, high)
            j += stop < 0
        if stop < 0:
            return False
        begins[slot + k - 1], ends[slot + k - 1] = i, j
        i = stop
    while blank and last > i and KIND[data[last - 1]] == _SPACE:
        last -= 1
    begins[slot + count - 1], ends[slot + count - 1] = i, last
    return True


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
        if good:
            begins[slot + count - 1] = i
            ends[slot + count - 1] = last
        fits[row] = good or _fit_sparse(data, start, end, literals, literal_offsets, first, count, begins, ends, slot)


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
def record_starts(structured, continues, stream, offsets, starts):  # type: ignore[no-untyped-def]
    """Set starts[i] where row i begins a record.

    It does unless it continues the row before it; a structured row, one of another stream than the row before, and one
    beside the border of a message of several lines (rows of one offset) never do.
    """
    rows = offsets.size
    for i in range(rows):
        start = i == 0 or structured[i] or structured[i - 1] or not continues[i] or stream[i] != stream[i - 1]
        if not start and offsets[i] != offsets[i - 1]:
            start = (i + 1 < rows and offsets[i + 1] == offsets[i]) or (i > 1 and offsets[i - 1] == offsets[i - 2])
        starts[i] = start
