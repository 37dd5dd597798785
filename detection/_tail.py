"""From a raw score to calibrated surprise: decades of improbability, from an online peaks-over-threshold fit.

Siffer et al., "Anomaly Detection in Streams with Extreme Value Theory" (KDD 2017) fit the excesses over a high
threshold. Here the tail is exponential (the GPD with shape 0), so rate and mean excess suffice, and both start from a
prior that counts as observations: a series can speak before it has had excesses of its own, and learns from them later.
"""

import numpy as np

from detection._columns import Columns
from detection._state import Arrays

_RATE_PRIOR = 200.0  # pseudo points behind the prior rate
_RATE_MEMORY = 2880.0  # points; 8 hours of 10 s windows
_EXCESS_PRIOR = 30.0  # pseudo excesses behind the prior mean excess
_EXCESS_MEMORY = 200.0
_EXCESS_CLIP = 2.5  # mean excesses: what lies beyond teaches no more
_CLUSTER = 3.0  # of one run of outliers only the first few teach the tail: a long fault is one event
_EXTRAPOLATION = 3.5  # decades beyond the length of the record that the tail is believed


class Tail:
    """Per-series tail of a raw score >= 0 whose normal part lies below `start`."""

    def __init__(self, start: float, rate: float, excess: float) -> None:
        """State the prior: P(score > start) = `rate`, mean of (score - start) beyond it = `excess`."""
        self._start = start
        self._columns = Columns({"rate": rate, "excess": excess, "points": 0.0, "peaks": 0.0, "run": 0.0})

    def grow(self, size: int) -> None:
        """Make room for `size` series."""
        self._columns.grow(size)

    def surprise(self, rows: np.ndarray, raw: np.ndarray) -> np.ndarray:
        """Return -log10 of the probability of a score at least `raw`, as learned before this point."""
        rate, excess = self._columns["rate"][rows], self._columns["excess"][rows]
        at_start = -np.log10(rate)
        below = at_start * raw / self._start
        above = at_start + (raw - self._start) / (excess * np.log(10.0))
        return np.asarray(np.minimum(np.where(raw > self._start, above, below), self.limit(rows)))

    def limit(self, rows: np.ndarray) -> np.ndarray:
        """Return the highest surprise a record this long can justify."""
        return np.asarray(np.log10(np.minimum(self._columns["points"][rows], _RATE_MEMORY) + 1.0) + _EXTRAPOLATION)

    def learn(self, rows: np.ndarray, raw: np.ndarray) -> None:
        """Take these scores into rate and mean excess."""
        columns = self._columns
        out = raw > self._start
        run = columns["run"][rows] + np.where(out, 1.0, -0.5)
        run = np.maximum(run, 0.0)
        columns["run"][rows] = run
        teach = run <= _CLUSTER
        rows, raw, out = rows[teach], raw[teach], out[teach]
        points = columns["points"][rows] + 1.0
        columns["points"][rows] = points
        rate = columns["rate"][rows]
        columns["rate"][rows] = rate + (out - rate) / np.minimum(points + _RATE_PRIOR, _RATE_MEMORY)
        self._learn_peaks(rows[out], raw[out])

    def _learn_peaks(self, rows: np.ndarray, raw: np.ndarray) -> None:
        columns = self._columns
        peaks = columns["peaks"][rows] + 1.0
        columns["peaks"][rows] = peaks
        excess = columns["excess"][rows]
        seen = np.minimum(raw - self._start, _EXCESS_CLIP * excess)
        columns["excess"][rows] = excess + (seen - excess) / np.minimum(peaks + _EXCESS_PRIOR, _EXCESS_MEMORY)

    def arrays(self) -> Arrays:
        """Return the state."""
        return self._columns.arrays()

    def load(self, arrays: Arrays) -> None:
        """Take over a state."""
        self._columns.load(arrays)
