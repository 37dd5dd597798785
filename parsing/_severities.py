"""Severities of texts: levels as programs write them, and the priorities of syslog."""

from collections.abc import Callable

import numpy as np

from parsing._columns import Bytes, Ints, Spans
from parsing._jit import Kernels
from telemetry import severity_number, syslog_severity_number

_text_kernels = Kernels("parsing._text_kernels")
_MOST_KNOWN = 64
# PostgreSQL's word for what is no error, Redis' marks (debug, verbose, notice, warning), Apple's words, and the numbers
# of syslog, which network devices write.
_OWN_LEVELS = {"LOG": 9, ".": 5, "-": 9, "*": 10, "#": 13, "SUCCESS": 9, "Default": 9, "Fault": 21}
_OWN_LEVELS |= {f"DEBUG{n}": 5 for n in range(1, 6)} | {str(n): syslog_severity_number(n) for n in range(8)}


class Numbers:
    """Numbers of texts of which there are few, remembered."""

    def __init__(self, number: Callable[[str], int | None]) -> None:
        self._number = number
        self._known = self._pack([""])

    def _pack(self, texts: list[str]) -> tuple[list[str], Bytes, Ints, Ints]:
        pieces = [text.encode() for text in texts]
        offsets = np.cumsum([0, *(len(piece) for piece in pieces)], dtype=np.int64)
        numbers = [self._number(text) or 0 if text else 0 for text in texts]
        return texts, np.frombuffer(b"".join(pieces), np.uint8), offsets, np.array(numbers, np.int64)

    def of(self, texts: Spans) -> Ints:
        """Return the number of each text, 0 where it has none."""
        found = np.empty(len(texts), np.int64)
        row = 0
        while True:
            known, *packed = self._known
            row = _text_kernels.number_texts(texts.data, texts.begins, texts.ends, *packed, row, found)
            if row == len(texts):
                return found
            if len(known) >= _MOST_KNOWN:
                return self._by_dictionary(texts)
            self._known = self._pack([*known, texts.text(row)])

    def _by_dictionary(self, texts: Spans) -> Ints:
        self._known = self._pack([""])
        coded = texts.column().dictionary_encode()
        known = [self._number(text) or 0 if text else 0 for text in coded.dictionary.to_pylist()]
        numbers: Ints = np.array(known, np.int64)[coded.indices.to_numpy(zero_copy_only=False)]
        return numbers


LEVELS = Numbers(lambda text: _OWN_LEVELS.get(text) or severity_number(text))
PRIORITIES = Numbers(lambda text: syslog_severity_number(int(text)))
