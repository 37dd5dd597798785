"""Compiled loops over bytes. Importing this module compiles lazily and caches on disk; import it only when needed."""

import numpy as np

from parsing._jit import compiled, inlined
from parsing._wide import BLOCK, blanks, eight, equal, pointer, trailing

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
KIND, SPACE, LETTER, DIGIT = _KIND, _SPACE, _LETTER, _DIGIT


@inlined
def same(data, i, literals, low, count):  # type: ignore[no-untyped-def]
    """Return whether data[i:i + count] is literals[low:low + count]; eight bytes can be read from each eighth on."""
    while count >= 8:
        if eight(data, i) != eight(literals, low):
            return False
        i, low, count = i + 8, low + 8, count - 8
    return count == 0 or (eight(data, i) ^ eight(literals, low)) << np.uint64(64 - 8 * count) == 0


@compiled
def _match_slowly(data, i, end, literals, low, high):  # type: ignore[no-untyped-def]
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


@inlined
def _match_at(data, size, i, end, literals, low, high):  # type: ignore[no-untyped-def]
    """Return where literals[low:high] ends when matched at data[i], a space matching a run of space; -1: no match."""
    stop = i + high - low
    if stop > end or stop + 8 > size or not same(data, i, literals, low, high - low):
        return _match_slowly(data, i, end, literals, low, high)
    if high > low and literals[high - 1] == 32:
        while stop < end and KIND[data[stop]] == _SPACE:
            stop += 1
    return stop


@compiled
def _match_back_slowly(data, start, i, literals, low, high):  # type: ignore[no-untyped-def]
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


@inlined
def _match_back(data, size, start, i, literals, low, high):  # type: ignore[no-untyped-def]
    """Return where literals[low:high] begins when it must end at data[i]; -1: no match."""
    first = i - (high - low)
    if first < start or i + 8 > size or not same(data, first, literals, low, high - low):
        return _match_back_slowly(data, start, i, literals, low, high)
    if high > low and literals[low] == 32:
        while first > start and KIND[data[first - 1]] == _SPACE:
            first -= 1
    return first


@inlined
def _search(data, size, j, last, mark):  # type: ignore[no-untyped-def]
    """Return the first place from `j` on where `mark` stands (for a space: any white space), at most `last`."""
    while j + BLOCK <= size and j < last:
        found = blanks(data, j) if mark == 32 else equal(data, j, mark)
        if found:
            return min(j + trailing(found), last)
        j += BLOCK
    while j < last and not (data[j] == mark or (mark == 32 and KIND[data[j]] == _SPACE)):
        j += 1
    return min(j, last)


@compiled
def _fit_sparse(data, size, start, end, literals, literal_offsets, first, count, begins, ends, slot):  # type: ignore[no-untyped-def]
    """Find the captures of a row that fits only if one between two blanks may be empty, of fewer blanks."""
    i = _match_at(data, size, start, end, literals, literal_offsets[first], literal_offsets[first + 1])
    low, high = literal_offsets[first + count], literal_offsets[first + count + 1]
    blank = high > low and literals[low] == 32
    last = _match_back(data, size, i, end, literals, low + blank, high) if i >= 0 else -1
    if last < 0 or (blank and (last == start or KIND[data[last - 1]] != _SPACE)):
        return False
    for k in range(1, count):
        low, high = literal_offsets[first + k], literal_offsets[first + k + 1]
        j, stop = i, -1
        if high > low and literals[low] == 32 and i > start and KIND[data[i - 1]] == _SPACE:
            stop = _match_at(data, size, i, last, literals, low + 1, high)
        while stop < 0 and j <= last:
            stop = _match_at(data, size, j, last, literals, low, high)
            j += stop < 0
        if stop < 0:
            return False
        begins[slot + k - 1], ends[slot + k - 1] = i, j
        i = stop
    while blank and last > i and KIND[data[last - 1]] == _SPACE:
        last -= 1
    begins[slot + count - 1], ends[slot + count - 1] = i, last
    return True


@inlined
def _fit(data, size, start, end, literals, literal_offsets, first, count, begins, ends, slot):  # type: ignore[no-untyped-def]
    """Find the captures of a row, shortest from the left; return whether there are."""
    i = _match_at(data, size, start, end, literals, literal_offsets[first], literal_offsets[first + 1])
    if i < 0:
        return False
    if count == 0:
        return i == end
    last = _match_back(data, size, i, end, literals, literal_offsets[first + count], literal_offsets[first + count + 1])
    for k in range(1, count):
        low, high = literal_offsets[first + k], literal_offsets[first + k + 1]
        j, stop = i, -1
        while stop < 0 and j <= last:
            if high > low:
                j = _search(data, size, j, last, literals[low])
            stop = _match_at(data, size, j, last, literals, low, high)
            j += stop < 0
        if stop < 0:
            return False
        begins[slot + k - 1], ends[slot + k - 1] = i, j
        i = stop
    begins[slot + count - 1], ends[slot + count - 1] = i, last
    return last >= 0


@compiled
def fit(data, row_begins, row_ends, rows, template, literals, literal_offsets, first, wild, at, begins, ends, fits):  # type: ignore[no-untyped-def]
    """Find what each wildcard of a row's template stands for, for some rows (None: all).

    Row i has template t = template[i], whose wild[t] + 1 literals start at first[t]. Capture k of row i is
    data[begins[at[i] + k]:ends[at[i] + k]]. Shortest captures from the left; complete for patterns of this kind.
    Eight bytes can be read from each literal's beginning on, and from each eighth byte after it. Returns how many of
    the rows fit.
    """
    fitting, text, size, constants, offsets = 0, pointer(data), data.size, pointer(literals), pointer(literal_offsets)
    lows, highs = pointer(begins), pointer(ends)
    for i in range(row_begins.size if rows is None else rows.size):
        row = i if rows is None else rows[i]
        start, end = row_begins[row], row_ends[row]
        while start < end and KIND[text[start]] == _SPACE:
            start += 1
        while end > start and KIND[text[end - 1]] == _SPACE:
            end -= 1
        t = template[row]
        one, count, slot = first[t], wild[t], at[row]
        good = _fit(text, size, start, end, constants, offsets, one, count, lows, highs, slot)
        if not good and count:
            good = _fit_sparse(text, size, start, end, constants, offsets, one, count, lows, highs, slot)
        fits[row] = good
        fitting += good
    return fitting


@compiled
def take_facts(known, number, rows, facts):  # type: ignore[no-untyped-def]
    """Set facts[:, row] to known[:, number[row]], for some rows (None: all)."""
    for i in range(number.size if rows is None else rows.size):
        row = i if rows is None else rows[i]
        for k in range(facts.shape[0]):
            facts[k, row] = known[k, number[row]]


@compiled
def captures_at(counts, at):  # type: ignore[no-untyped-def]
    """Set at[i] to the captures of the rows before i, of which row k has counts[k]; returns how many there are."""
    total = 0
    for row in range(counts.size):
        at[row] = total
        total += counts[row]
    at[counts.size] = total
    return total


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
