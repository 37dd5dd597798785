"""In which column the time is, of lines whose header no grammar can tell from a sentence.

`cart 2026-01-05 08:00:00 x` may be a message that mentions a time. A stream whose lines all have one behind the same
number of words has a header. What is decided depends on the lines so far, and on which there were, not on how often
each came: a line that is held back comes twice.
"""

from collections import Counter

import xxhash

_ENOUGH = 8  # different lines
_MOST = 64  # of them; who has none by then has no such header
_SHARE = 0.9


class Watch:
    """What was seen of one stream's first lines: line (its hash) -> column of the time, -1 for none."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}

    @property
    def over(self) -> bool:
        """Return whether further lines change nothing."""
        return len(self._seen) >= _MOST

    def see(self, text: str, column: int) -> int:
        """Take one more line in; return the column in which the time of these lines is, -1 as long as none is."""
        self._seen[xxhash.xxh3_64_intdigest(text.encode())] = column
        [(most, count)] = Counter(self._seen.values()).most_common(1)
        return most if count >= max(_ENOUGH, _SHARE * len(self._seen)) else -1

    def snapshot(self) -> list[list[int]]:
        """Return the state as JSON."""
        return [[line, column] for line, column in self._seen.items()]

    def restore(self, saved: list[list[int]]) -> None:
        """Take over what `snapshot` returned."""
        self._seen = dict(map(tuple, saved))  # type: ignore[arg-type]
