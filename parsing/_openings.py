"""Which clusters have which openings: what is left of their words where one or two places are left open.

Clusters that differ in these places alone have an opening in common and find each other by its key. A cluster may have
dozens, nearly all its own, so they are kept by compiled code: as Python's they cost more than all else about learning.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, chain, combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from parsing._jit import Kernels

MOST_WORDS_SINGLY = 40
MOST_WORDS_IN_PAIRS = 10
_FIRST_SIZE = 64
_MOST_KEYS = 64  # of one cluster
Words = tuple[str, ...]
Keys = NDArray[np.uint64]
"""Of each opening (`places_of`) a key of the words with these places left open. It is another in each process; nothing
depends on it but who finds whom."""
_kernels = Kernels("parsing._opening_kernels")


class Openings:
    """The first owner of each key entered."""

    def __init__(self) -> None:
        self._table = np.zeros((_FIRST_SIZE, 2), np.uint64)  # key and owner; owner 0: free
        self._room = _FIRST_SIZE // 2
        self._known = np.empty((_MOST_KEYS, 2), np.int64)

    def enter(self, keys: Keys, owner: int) -> list[list[int]]:
        """Enter the keys of an owner, a number from 1; return which of them others have had, and who first did."""
        self._room -= len(keys)
        while self._room < 0:
            table = np.zeros((2 * len(self._table), 2), np.uint64)
            self._room += len(self._table) // 2
            _kernels.move_keys(self._table, table)
            self._table = table
        known = _kernels.enter_keys(self._table, keys, owner, self._known)
        self._room += known
        return self._known[:known].tolist() if known else []


@lru_cache(maxsize=MOST_WORDS_SINGLY + 1)
def places_of(count: int) -> list[tuple[int, ...]]:
    """Return the openings of so many words: each place, and where words are few each pair of places."""
    if count > MOST_WORDS_SINGLY:
        return []
    sizes = (1, 2) if count <= MOST_WORDS_IN_PAIRS else (1,)
    return [places for size in sizes for places in combinations(range(count), size)]


@lru_cache(maxsize=MOST_WORDS_SINGLY + 1)
def bits_of(count: int) -> list[tuple[tuple[int, ...], int]]:
    """Return the openings of so many words, each with its places as bits."""
    return [(places, sum([1 << place for place in places])) for places in places_of(count)]


def keys_of(messages: Sequence[Words], seeds: Sequence[int]) -> list[Keys]:
    """Return the keys of the openings of each message's words; `seeds`: what else messages must have in common.

    Places that are parameters already take part: their clusters stand beside those with a constant there.
    """
    few = [words if len(words) <= MOST_WORDS_SINGLY else () for words in messages]
    counts = list(map(len, few))
    hashes = np.fromiter(map(hash, chain.from_iterable(few)), np.int64, sum(counts)).view(np.uint64)
    ends = list(accumulate([len(places_of(len(words))) for words in messages], initial=0))
    keys, common = np.empty(ends[-1], np.uint64), np.array(seeds, np.int64).view(np.uint64)
    _kernels.keys_of_openings(hashes, np.array(counts, np.int64), common, MOST_WORDS_IN_PAIRS, keys)
    return [keys[begin:end] for begin, end in pairwise(ends)]
