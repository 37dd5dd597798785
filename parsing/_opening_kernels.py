"""Compiled loops over the words of messages, given as their hashes."""

import numpy as np

from parsing._jit import compiled

_STEP, _OPEN = 0x9E3779B97F4A7C15, np.uint64(0x9FB21C651E98DF25)
# Odd, so that no bit of a hash is lost. Hashes of words with their places would not do: sums of those are equal now
# and then.
_FACTORS = np.array([pow(_STEP, place, 1 << 64) for place in range(1, 65)], np.uint64)


@compiled
def keys_of_openings(hashes, counts, in_pairs, keys):  # type: ignore[no-untyped-def]
    """Set keys[k] to that of opening k: a sum over places, so that opening one more of them changes it by a difference.

    Row r has the next counts[r] of the hashes, at most 64. Its openings are each of its places and, where they are at
    most `in_pairs`, each two of them.
    """
    first = at = 0
    for row in range(counts.size):
        count, total, single = counts[row], np.uint64(0), at
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
