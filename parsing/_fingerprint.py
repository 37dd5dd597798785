"""Fingerprints of messages, and the table from fingerprints to templates, in compiled code.

A fingerprint is a hash of a message's shape: of what stands between words with digits, eight bytes at a time, and of
what is constant in such words. Snapshots hold fingerprints: a change of what they are needs another VERSION.
"""

import numpy as np

from parsing._jit import compiled, inlined
from parsing._kernels import DIGIT, KIND, LETTER, SPACE
from parsing._wide import BLOCK, classes, eight, leading, pointer, trailing

VERSION = 2

TOKEN_CAP = 512
"""Words of a message that take part in its template; what follows them is one parameter."""

_BASIS, _FACTOR = np.uint64(0xCBF29CE484222325), np.uint64(0x9FB21C651E98DF25)
_WILD = np.uint64(0xF600000000000000)  # no text has this byte, nor those from _TAIL on: neither can be taken for text
_TAIL = np.uint64(0xF8)
_ODD = np.uint64(0)  # no fingerprint: the blanks are not single
_ONE, _ALL = np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)


@inlined
def _mix(state, value):  # type: ignore[no-untyped-def]
    state = (state ^ value) * _FACTOR
    return state ^ (state >> np.uint64(32))


@inlined
def _add(state, data, begin, end):  # type: ignore[no-untyped-def]
    """Hash data[begin:end]; eight bytes can be read anywhere in it."""
    while end - begin >= 8:
        state = _mix(state, eight(data, begin))
        begin += 8
    rest = np.uint64(end - begin)
    tail = eight(data, begin) & ((_ONE << (rest * np.uint64(8))) - _ONE)
    return _mix(state, tail | (_TAIL | rest) << np.uint64(56))


@inlined
def _is_letter(byte):  # type: ignore[no-untyped-def]
    return KIND[byte] == LETTER and byte < 128


@inlined
def _is_name(data, start, first, stop):  # type: ignore[no-untyped-def]
    """Return whether data[start:stop] is letters around one digit, at `first` (`_masks._VERSIONED` says the same)."""
    if first == start or data[start] == 95 or (first + 1 < stop and KIND[data[first + 1]] == DIGIT):
        return False
    underscores = 0
    for i in range(start, stop):
        if data[i] == 95:
            underscores += 1
        elif i != first and not _is_letter(data[i]):
            return False
    if first == stop - 1:
        return underscores == 0 and stop - start >= 3
    return stop - start >= 4


@inlined
def _is_pair(data, start, stop):  # type: ignore[no-untyped-def]
    """Return whether data[start:stop] has one slash, not at its beginning."""
    slashes = 0
    for i in range(start, stop):
        slashes += data[i] == 47
    return slashes == 1 and data[start] != 47


@inlined
def _has_head(data, start, first):  # type: ignore[no-untyped-def]
    """Return whether what is before the digit at `first` is constant: a name, full stops and slashes (`core.12`)."""
    if first == start or data[first - 1] not in (46, 47):
        return False
    while start < first and (_is_letter(data[start]) or data[start] in (45, 95)):
        start += 1
    while start < first and data[start] in (46, 47):
        start += 1
    return start == first


@inlined
def _blanks_end(data, at, end):  # type: ignore[no-untyped-def]
    while at < end and KIND[data[at]] == SPACE:
        at += 1
    return at


@compiled
def _capped(data, at, end):  # type: ignore[no-untyped-def]
    """Return where the words end that take part in the template."""
    words = 0
    while at < end and words < TOKEN_CAP:
        kind = KIND[data[at]]
        at += 1
        if kind >= LETTER:
            while at < end and KIND[data[at]] >= LETTER:
                at += 1
        words += kind != SPACE
    return at


@compiled
def _hash(data, start, end):  # type: ignore[no-untyped-def]
    """Hash data[start:end], which has no blanks around it; 64 bytes can be read anywhere in it. _ODD: see there."""
    state, done, word, base = _BASIS, start, start, start
    carried = np.uint64(0)
    while base < end:
        words, digits, slashes, blanks, others = classes(data, base)
        if end - base < BLOCK:
            kept = (_ONE << np.uint64(end - base)) - _ONE
            words, digits, blanks, others = words & kept, digits & kept, blanks & kept, others & kept
        if others | (blanks & (blanks << _ONE | carried)):
            return _ODD
        carried = blanks >> np.uint64(63)
        breaks = ~words
        ahead = base + BLOCK
        while digits:
            bit = np.uint64(trailing(digits))
            first = base + np.int64(bit)
            before, after = breaks & ((_ONE << bit) - _ONE), breaks >> bit
            begin = base + 64 - leading(before) if before else word
            stop = first + trailing(after)
            if not after:
                stop = ahead
                while stop < end and KIND[data[stop]] >= LETTER:
                    stop += 1
                ahead, word, digits, breaks = stop, stop, np.uint64(0), np.uint64(0)
                carried = np.uint64(0)
            else:
                digits &= _ALL << np.uint64(stop - base)
            last = stop
            while data[last - 1] == 46:
                last -= 1
            if first > begin and _is_name(data, begin, first, last):
                continue
            state = _add(state, data, done, begin)
            pair = (slashes or begin < base or stop > base + BLOCK) and _is_pair(data, begin, last)
            kind = (stop - last) * 8 + (data[last - 1] == 37) + 2 * pair
            if _has_head(data, begin, first):
                state = _add(_mix(state, _WILD | np.uint64(kind + 4)), data, begin, first)
            elif kind:
                state = _mix(state, _WILD | np.uint64(kind))
            done = stop
        if breaks:
            word = base + 64 - leading(breaks)
        base = ahead
    state = _add(state, data, done, end)
    state *= _FACTOR
    state ^= state >> np.uint64(29)
    return state if state != _ODD else _WILD


@compiled
def _hash_copy(data, start, end):  # type: ignore[no-untyped-def]
    """Hash a copy of data[start:end] whose blanks are single, and that is long enough."""
    copy = np.empty(end - start + BLOCK, np.uint8)
    size, i = 0, start
    while i < end:
        if KIND[data[i]] == SPACE:
            i = _blanks_end(data, i, end)
            copy[size] = 32
        else:
            copy[size] = data[i]
            i += 1
        size += 1
    found = _hash(pointer(copy), 0, size)
    copy[0] = 0  # a pointer does not keep what it points to: this does
    return found


@compiled
def fingerprint(data, size, start, end):  # type: ignore[no-untyped-def]
    """Hash the shape of data[start:end]: words with a digit count as one wildcard, runs of space as one space.

    `data` points to `size` bytes.
    """
    start = _blanks_end(data, start, end)
    if end - start > TOKEN_CAP:
        end = _capped(data, start, end)
    while end > start and KIND[data[end - 1]] == SPACE:
        end -= 1
    found = _ODD
    if end + BLOCK <= size:
        found = _hash(data, start, end)
    return found if found != _ODD else _hash_copy(data, start, end)


@inlined
def _find(keys, slots, mask, key):  # type: ignore[no-untyped-def]
    """Return the slot of `key` in the open-addressing table (keys, slots) of mask + 1 places, or -1."""
    at = (key ^ (key >> np.uint64(32))) & mask
    while keys[at] != 0:
        if keys[at] == key:
            return slots[at]
        at = (at + _ONE) & mask
    return -1


@compiled
def insert(keys, slots, key, slot):  # type: ignore[no-untyped-def]
    """Put `key` -> `slot` into the table; it must have room."""
    mask = np.uint64(keys.size - 1)
    at = (key ^ (key >> np.uint64(32))) & mask
    while keys[at] != 0 and keys[at] != key:
        at = (at + _ONE) & mask
    keys[at] = key
    slots[at] = slot


@compiled
def insert_all(keys, slots, new_keys):  # type: ignore[no-untyped-def]
    """Put every key of `new_keys` into the table, its slot being its place."""
    for i in range(new_keys.size):
        insert(keys, slots, new_keys[i], i)


@compiled
def assign(data, begins, ends, keys, slots, slot_cluster, last_used, clock, cluster_template, out):  # type: ignore[no-untyped-def]
    """Give rows their template until a shape is unseen; return that row, or how many rows there are."""
    n, size, text = begins.size, data.size, pointer(data)
    known, places, mask = pointer(keys), pointer(slots), np.uint64(keys.size - 1)
    for row in range(n):
        slot = _find(known, places, mask, fingerprint(text, size, begins[row], ends[row]))
        if slot < 0:
            return row
        last_used[slot] = clock + row
        out[row] = cluster_template[slot_cluster[slot]]
    return n


@compiled
def place(data, begins, ends, row, keys, slots, slot_key, last_used, clock, count, room, out, unseen):  # type: ignore[no-untyped-def]
    """Give rows from `row` on the slot of their shape, and unseen shapes the next slots, while there is room.

    Return the row it stopped at and how many slots there are; `unseen` gets the first row of each new one.
    """
    n, size, text, first = begins.size, data.size, pointer(data), count
    known, places, mask = pointer(keys), pointer(slots), np.uint64(keys.size - 1)
    while row < n:
        key = fingerprint(text, size, begins[row], ends[row])
        slot = _find(known, places, mask, key)
        if slot < 0:
            if count >= room:
                break
            slot = count
            insert(keys, slots, key, slot)
            slot_key[slot] = key
            unseen[slot - first] = row
            count += 1
        last_used[slot] = clock + row
        out[row] = slot
        row += 1
    return row, count
