"""Lasting small deviations: an exponential mean of clipped residuals, scored against its own past.

A deviation too small to stand out in one window stands out when it lasts. Clipping keeps a short outburst, however
large, from looking like a lasting one. This is the EWMA control chart (Roberts, Technometrics 1959) with learned
limits: residuals of real series are correlated, so limits for independent ones would be wrong.
"""

import numpy as np

from detection._columns import Columns, Grouped
from detection._tail import Tail

_WEIGHT = 0.15  # of the newest residual: about two minutes of 10 s windows
_CLIP = 3.0
_START = 0.35  # mean absolute value at first: that of slightly correlated residuals
_FLOOR = 0.1  # of it: below that one event would make the whole difference
_MEMORY = 1440.0
_TAIL_START = 2.5
_TO_SIGMA = 1.2533
_DOUBT = 0.1  # what a point teaches while it looks like a lasting deviation


class Shifts(Grouped):
    """Mean residual of each series."""

    def __init__(self) -> None:
        self._columns = Columns({"mean": 0.0, "spread": _START, "n": 60.0})
        self._tail = Tail(_TAIL_START, rate=0.0124, excess=0.6)
        super().__init__(series=self._columns, tail=self._tail)

    def score(self, rows: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """Take one standardised residual a series; return the surprise of the mean up to it."""
        columns = self._columns
        mean = columns["mean"][rows]
        mean = mean + _WEIGHT * (np.clip(residual, -_CLIP, _CLIP) - mean)
        columns["mean"][rows] = mean
        spread = columns["spread"][rows]
        raw = np.abs(mean) / (_TO_SIGMA * np.maximum(spread, _FLOOR))
        surprise = self._tail.surprise(rows, raw)
        self._tail.learn(rows, raw)
        n = columns["n"][rows] + 1.0
        columns["n"][rows] = n
        trust = np.where(raw > _TAIL_START, _DOUBT, 1.0)
        columns["spread"][rows] = spread + trust * (np.minimum(np.abs(mean), 3.0 * spread) - spread) / np.minimum(
            n, _MEMORY
        )
        return surprise

    def reset(self, rows: np.ndarray) -> None:
        """Forget the mean of series whose level was learned anew."""
        self._columns["mean"][rows] = 0.0
