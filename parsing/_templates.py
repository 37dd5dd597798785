"""The template texts of one stream by number, laid out for compiled code, which fits them to messages."""

import re
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parsing._columns import Ints
from telemetry import WILDCARD, template_id

OVERFLOW_TEXT = 0
"""The number of the text `<*>`, which fits everything."""

_FIRST_SIZE = 64
_BLANKS = re.compile("  +")  # one blank of a template stands for a run of them


class Templates:
    """Texts numbered in the order in which they were added, from 0.

    Text t has wild[t] wildcards and so wild[t] + 1 literals, the first of which is literal first[t]; literal k is
    literals[literal_offsets[k]:literal_offsets[k + 1]]. facts[:, t] are wild[t], its id, and its bytes. Arrays may be
    longer than what is in use.
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

    def add(self, text: str) -> int:
        """Add a text; return its number."""
        number, pieces, encoded = len(self.texts), _literals(text), text.encode()
        self.texts.append(text)
        self.encoded.append(encoded)
        if number == len(self.first):
            self.facts = np.concatenate([self.facts, np.zeros_like(self.facts)], axis=1)
            self.first = _room(self.first, number + 1)
        first, data = self._literal_count, b"".join(pieces)
        self.facts[:, number], self.first[number] = (len(pieces) - 1, _id(text), len(encoded)), first
        self._literal_count += len(pieces)
        self.literal_offsets = _room(self.literal_offsets, self._literal_count + 1)
        at = int(self.literal_offsets[first])
        self.literal_offsets[first : self._literal_count + 1] = list(accumulate(map(len, pieces), initial=at))
        self.literals = _room(self.literals, at + len(data) + 8)  # compiled code reads eight bytes at a time
        self.literals[at : at + len(data)] = np.frombuffer(data, np.uint8)
        return number

    @property
    def wild(self) -> Ints:
        """Return the number of wildcards of each text."""
        wild: Ints = self.facts[0]
        return wild

    def tailed(self, number: int) -> int:
        """Return the number of the text for records whose first line has the text `number` and that have more lines."""
        if number not in self._tailed:
            self._tailed[number] = self.add(with_tail(self.texts[number]))
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


@lru_cache(maxsize=1 << 14)
def _literals(template: str) -> tuple[bytes, ...]:
    return tuple(_BLANKS.sub(" ", piece).encode() for piece in template.split(WILDCARD))


@lru_cache(maxsize=1 << 14)
def _id(text: str) -> int:
    return template_id(text)
