"""Compiled loops over the words of messages, given as their hashes, and over the keys made of these."""

import numpy as np

from parsing._jit import compiled, inlined

_STEP, _OPEN = 0x9E3779B97F4A7C15, np.uint64(0x9FB21C651E98DF25)
# Odd, so that no bit of a hash is lost. Hashes of words with their places would not do: sums of those are equal now
# and then.
_FACTORS = np.array([pow(_STEP, place, 1 << 64) for place in range(1, 65)], np.uint64)


@compiled
def keys_of_openings(hashes, counts, seeds, in_pairs, keys):  # type: ignore[no-untyped-def]
    """Set keys[k] to that of opening k: a sum over places, so that opening one more of them changes it by a difference.

    Row r has the next counts[r] of the hashes, at most 64, and what is of another seed has other keys. Its openings are
    each of its places and, where they are at most `in_pairs`, each two of them.
    """
    first = at = 0
    for row in range(counts.size):
        count, total, single = counts[row], seeds[row], at
        for i in range(count):
            total += hashes[first + i] * _FACTORS[i]
        for i in range(count):
            keys[at] = total + (_OPEN - hashes[first + i]) * _FACTORS[i]
            at += 1
        for i in range(count if count <= in_pairs else 0):
            for j in range(i + 1, count):
                keys[at] = keys[single + i] + (_OPEN - hashes[first + j]) * _FACTORS[j]
                at += 1
        first += count


@inlined
def _slot(table, key):  # type: ignore[no-untyped-def]
    """Return where `key` is in the table, or would be."""
    mask = np.uint64(table.shape[0] - 1)
    at = (key ^ (key >> np.uint64(32))) & mask
    while table[at, 1] != 0 and table[at, 0] != key:
        at = (at + np.uint64(1)) & mask
    return at


@compiled
def enter_keys(table, keys, owner, known):  # type: ignore[no-untyped-def]
    """Enter keys into a table that has room; return how many another owner had entered before.

    known[i] becomes, of each of these, which of the keys it is, and who that was.
    """
    found = 0
    for k in range(keys.size):
        at = _slot(table, keys[k])
        if table[at, 1] == 0:
            table[at, 0], table[at, 1] = keys[k], owner
        elif table[at, 1] != owner:
            known[found, 0], known[found, 1] = k, table[at, 1]
            found += 1
    return found


@compiled
def move_keys(table, larger):  # type: ignore[no-untyped-def]
    """Enter what one table has into another."""
    for row in range(table.shape[0]):
        if table[row, 1] != 0:
            at = _slot(larger, table[row, 0])
            larger[at, 0], larger[at, 1] = table[row, 0], table[row, 1]
