"""Evidence of a whole service: the strongest signals of each kind, extreme now or lasting, added up.

One noisy signal among hundreds is nothing; a fault moves several signals of a service, or moves one for long. Within
a kind (metric, log, span) signals repeat each other, so only the strongest two count, the second by half.
"""

import numpy as np

from detection._columns import Columns
from detection._state import Arrays

COMBINED = "combined_evidence"
"""Detector name of the rows that state the evidence of a whole service; their signal is "combined"."""
KINDS = ("metric", "log", "span")
_CAP = 4.0  # decades one signal can bring
_SUDDEN = 1.5  # decades in one window that are nothing special
_LASTING = 2.5  # the same for a lasting deviation; such scores are correlated in time and so come in bunches
_KEEP = 0.95  # of gathered evidence, from window to window: an outburst of half a minute must not open an incident
_GATHERED_WEIGHT = 0.1


class Combined:
    """Leaky sum of the evidence of each service."""

    def __init__(self) -> None:
        self._columns = Columns({"gathered": 0.0, "window": -1.0})

    def update(self, number: int, cells: np.ndarray, score: np.ndarray, shift: np.ndarray, size: int) -> np.ndarray:
        """Return the evidence of each of `size` services after window `number`, in decades.

        cells: service * 3 + kind of each signal; `score` and `shift` are its surprises, 0 where there are none.
        """
        self._columns.grow(size)
        gathered, window = self._columns["gathered"], self._columns["window"]
        gap = np.minimum(number - window, 360.0)
        gathered *= _KEEP**gap
        gathered += _strongest(cells, np.where(score > 0.0, np.maximum(score - _SUDDEN, shift - _LASTING), 0.0), size)
        window[:] = number
        return np.asarray(_GATHERED_WEIGHT * gathered + _strongest(cells, shift - _LASTING, size))

    def arrays(self) -> Arrays:
        """Return the state."""
        return self._columns.arrays()

    def load(self, arrays: Arrays) -> None:
        """Take over a state."""
        self._columns.load(arrays)


def _strongest(cells: np.ndarray, value: np.ndarray, size: int) -> np.ndarray:
    """Return, by service, the sum over kinds of the largest value and half the second largest."""
    use = value > 0.0
    cells, value = cells[use], np.minimum(value[use], _CAP)
    order = np.lexsort((-value, cells))
    cells, value = cells[order], value[order]
    first = np.r_[True, cells[1:] != cells[:-1]] if len(cells) else np.zeros(0, dtype=bool)
    second = np.r_[False, first[:-1]] & ~first
    weight = np.where(first, 1.0, np.where(second, 0.5, 0.0))
    return np.bincount(cells // len(KINDS), weights=weight * value, minlength=size)


def features(cells: np.ndarray, score: np.ndarray, size: int) -> np.ndarray:
    """Return (size, 6): largest and mean surprise of each kind of signal, by service."""
    count = size * len(KINDS)
    largest = np.zeros(count)
    np.maximum.at(largest, cells, score)
    mean = np.bincount(cells, weights=np.minimum(score, 2 * _CAP), minlength=count) / np.maximum(
        np.bincount(cells, minlength=count), 1
    )
    return np.stack([largest, mean], axis=1).reshape(size, 2 * len(KINDS))
