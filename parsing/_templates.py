"""The template texts of one stream by number, laid out for compiled code, which fits them to messages."""

import re
from collections.abc import Sequence
from itertools import accumulate, chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parsing._columns import Ints
from telemetry import WILDCARD, template_id

OVERFLOW_TEXT = 0
"""The number of the text `<*>`, which fits everything."""

_FIRST_SIZE = 64
_WILDCARD = WILDCARD.encode()
_BLANKS = re.compile(b"  +")  # one blank of a template stands for a run of them


class Templates:
    """Texts numbered in the order in which they were added, from 0.

    Text t has wild[t] wildcards and so wild[t] + 1 literals, the first of which is literal first[t]; literal k is
    literals[literal_offsets[k]:literal_offsets[k + 1]]. facts[:, t] are wild[t], its id, and its bytes. Arrays may be
    longer than what is in use, and end before texts that are not laid out.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.encoded: list[bytes] = []
        self.facts = np.zeros((3, _FIRST_SIZE), np.int64)
        self.first, self.literal_offsets = np.zeros((2, _FIRST_SIZE), np.int64)
        self.literals = np.zeros(_FIRST_SIZE, np.uint8)
        self._literal_count = 0
        self._tailed: dict[int, int] = {}
        self.add(WILDCARD)
        self.lay_out()

    def add(self, text: str) -> int:
        """Add a text; return its number. Compiled code sees it once it is laid out."""
        self.texts.append(text)
        return len(self.texts) - 1

    def lay_out(self) -> None:
        """Lay out what was added since this was last called."""
        first, end = len(self.encoded), len(self.texts)
        if first == end:
            return
        encoded = [text.encode() for text in self.texts[first:]]
        self.encoded += encoded
        each = list(map(_literals, encoded))
        pieces = list(chain.from_iterable(each))
        if end > len(self.first):
            self.facts = np.concatenate([self.facts, np.zeros((3, max(end, len(self.first))), np.int64)], axis=1)
            self.first = _room(self.first, end)
        wild, ids = [len(one) - 1 for one in each], list(map(template_id, self.texts[first:]))
        self.facts[:, first:end] = [wild, ids, list(map(len, encoded))]
        self.first[first:end] = list(accumulate(map(len, each[:-1]), initial=self._literal_count))
        self._add_literals(pieces)

    def _add_literals(self, pieces: Sequence[bytes]) -> None:
        first, end = self._literal_count, self._literal_count + len(pieces)
        self.literal_offsets = _room(self.literal_offsets, end + 1)
        at = int(self.literal_offsets[first])
        offsets = list(accumulate(map(len, pieces), initial=at))
        self.literal_offsets[first : end + 1] = offsets
        self.literals = _room(self.literals, offsets[-1] + 8)  # compiled code reads eight bytes at a time
        self.literals[at : offsets[-1]] = np.frombuffer(b"".join(pieces), np.uint8)
        self._literal_count = end

    @property
    def wild(self) -> Ints:
        """Return the number of wildcards of each text."""
        wild: Ints = self.facts[0]
        return wild

    def tailed(self, number: int) -> int:
        """Return the number of the text for records whose first line has the text `number` and that have more lines."""
        if number not in self._tailed:
            self._tailed[number] = self.add(with_tail(self.texts[number]))
            self.lay_out()
        return self._tailed[number]


def with_tail(text: str) -> str:
    """Return the template of a record whose first line has the template `text` and that has continuation lines."""
    return WILDCARD if text == WILDCARD else f"{text} {WILDCARD}".strip()


def _room(array: NDArray[Any], size: int) -> NDArray[Any]:
    """Return `array` with room for `size` entries."""
    if size <= len(array):
        return array
    out = np.zeros(max(size, 2 * len(array)), array.dtype)
    out[: len(array)] = array
    return out


def _literals(template: bytes) -> list[bytes]:
    """Return what stands between the wildcards."""
    if b"  " in template:
        template = _BLANKS.sub(b" ", template)
    return template.split(_WILDCARD)
