"""What the first lines of a stream tell about its headers that none of them tells alone.

`cart 2026-01-05 08:00:00 x` may be a message that mentions a time. A stream whose lines all have one behind the same
number of words has a header. And lines whose header says little are looked at again, until a number of them have taught
nothing. What is decided depends on the lines so far, and on which there were, not on how
often each came: a line that is held back comes twice.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import xxhash

_ENOUGH = 8  # different lines
_MOST = 64  # of them; who has none by then has no such header
_SHARE = 0.9
_PATIENCE = 256


class Watch:
    """What was seen of one stream's first lines: of those without a header, in which column a time is (-1: none)."""

    def __init__(self) -> None:
        self._columns: dict[int, int] = {}  # by hash of the line
        self._vain: set[int] = set()  # hashes of lines that were looked at again in vain

    @property
    def over(self) -> bool:
        """Return whether further lines without a header change nothing."""
        return len(self._columns) >= _MOST

    @property
    def settled(self) -> bool:
        """Return whether lines that have a header need not be looked at again."""
        return len(self._vain) >= _PATIENCE

    def column(self, text: str, column: int) -> int:
        """Take one more line in; return the column in which the time of these lines is, -1 as long as none is."""
        self._columns[_hash(text)] = column
        [(most, count)] = Counter(self._columns.values()).most_common(1)
        return most if count >= max(_ENOUGH, _SHARE * len(self._columns)) else -1

    def in_vain(self, text: str) -> None:
        """Note that a line with a header taught nothing."""
        self._vain.add(_hash(text))

    def was_in_vain(self, text: str) -> bool:
        """Return whether this line taught nothing before."""
        return _hash(text) in self._vain

    def snapshot(self) -> list[Any]:
        """Return the state as JSON."""
        return [list(self._columns.items()), sorted(self._vain)]

    def restore(self, saved: Sequence[Any]) -> None:
        """Take over what `snapshot` returned."""
        columns, vain = saved
        self._columns, self._vain = dict(columns), set(vain)


def _hash(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))
