"""Compiled loops over the rows of a batch: where texts are, times, and what templates' records have in common."""

import numpy as np

from parsing._jit import compiled

_NONE = np.iinfo(np.int64).min


@compiled
def text_places(offsets, first, begins, ends):  # type: ignore[no-untyped-def]
    """Turn Arrow's offsets, from `first` on, into places in data[low:high]; returns (low, high)."""
    low = offsets[first]
    for row in range(begins.size):
        begins[row] = offsets[first + row] - low
        ends[row] = offsets[first + row + 1] - low
    return low, offsets[first + begins.size]


@compiled
def tally(which, rows, matched, counts):  # type: ignore[no-untyped-def]
    """Count rows by what they fit, -1 being none, which is counted last; matched[row]: it is something."""
    for i in range(which.size):
        matched[rows[i]] = which[i] >= 0
        counts[which[i]] += 1


@compiled
def gather(begins, ends, fields, rows, out):  # type: ignore[no-untyped-def]
    """Take some fields of some rows (shape [field, row]): out[0] becomes where they begin, out[1] where they end."""
    for k in range(fields.size):
        for i in range(rows.size):
            out[0, k, i], out[1, k, i] = begins[fields[k], rows[i]], ends[fields[k], rows[i]]


@compiled
def doubtful(which, rows, ends, bare, out):  # type: ignore[no-untyped-def]
    """Set out[i] where row rows[i] fits nothing (which[i] < 0), or what is bare; ends[row] is 0 there."""
    for i in range(which.size):
        out[i] = which[i] < 0 or (ends[rows[i]] == 0 and bare[which[i]])


@compiled
def has_some(begins, ends, fields):  # type: ignore[no-untyped-def]
    """Return whether some row has a text in one of some fields (shape [field, row])."""
    for k in range(fields.size):
        for row in range(begins.shape[1]):
            if ends[fields[k], row] > begins[fields[k], row]:
                return True
    return False


@compiled
def headed_rows(matched, structured, stream, known, headed):  # type: ignore[no-untyped-def]
    """Set headed[row] where its stream has shown a raw line with a header up to it; `known`: streams that have."""
    if known.all():
        headed[:] = True
        return
    for row in range(matched.size):
        known[stream[row]] |= matched[row] and not structured[row]
        headed[row] = known[stream[row]]


@compiled
def fill_times(places, read, timed, stream, last, us, inherited):  # type: ignore[no-untyped-def]
    """Set the time of each row: the one stated, or read where it is timed, or that of the row before, or when observed.

    The row before in its stream, that is. `places`: as a batch is looked at. `timed`: of the rows whose header was
    looked for. `last`: the latest time of each stream's own; kept up to date. Of what is stated and last, int64 min is
    none. Returns whether some row has inherited that of the row before it.
    """
    some = False
    observed, stated = places[3], places[4]
    for row in range(us.size):
        inherited[row] = False
        if stated[row] != _NONE or (row < timed.size and timed[row]):
            us[row] = last[stream[row]] = stated[row] if stated[row] != _NONE else read[row]
        elif last[stream[row]] != _NONE:
            us[row] = last[stream[row]]
            inherited[row] = some = True
        else:
            us[row] = observed[row]
    return some


@compiled
def summarise(keys, numbers, places, begins, ends, out):  # type: ignore[no-untyped-def]
    """Summarise rows by key; return how many distinct keys there are, and the bytes of the longest of their texts.

    Group g, in order of first appearance, is out[:, g]: its first row, where the text of its earliest row begins and
    ends, and the id, earliest and latest time, number of rows, and offset of the last row; and where the template would
    begin and end if those of all groups stood behind one another. `numbers`: see `_logs.Columns`; `places`: as the
    batch was looked at. Keys are not negative.
    """
    time, ids, sizes, offsets = numbers[0], numbers[3], numbers[4], places[2]
    size = 4
    while size < 2 * keys.size:
        size *= 2
    table, places = np.full(size, -1, np.int64), np.empty(size, np.int64)
    mask = np.uint64(size - 1)
    count = longest = end = 0
    for row in range(keys.size):
        key = keys[row]
        at = (np.uint64(key) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(20)) & mask
        while table[at] != -1 and table[at] != key:
            at = (at + np.uint64(1)) & mask
        if table[at] == -1:
            table[at] = key
            places[at] = count
            out[0, count], out[1, count], out[2, count] = row, begins[row], ends[row]
            out[3, count] = ids[row]
            out[4, count] = out[5, count] = time[row]
            out[6, count] = 0
            out[8, count], out[9, count] = end, end + sizes[row]
            end += sizes[row]
            longest = max(longest, ends[row] - begins[row])
            count += 1
        g = places[at]
        if time[row] < out[4, g]:
            out[1, g], out[2, g], out[4, g] = begins[row], ends[row], time[row]
            longest = max(longest, ends[row] - begins[row])
        out[5, g] = max(out[5, g], time[row])
        out[6, g] += 1
        out[7, g] = offsets[row]
    return count, longest
