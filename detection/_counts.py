"""Online scores of counts: how improbable is this count under a learned, over-dispersed rate.

Counts of rare events are no metric: their spread follows from their mean. Each series has a Gamma-distributed rate
per unit of exposure (windows, spans, ...), learned with forgetting; the count is then negative-binomial.
Over-dispersion beyond that is learned from moments.
"""

import numpy as np

from detection._columns import Columns, Grouped
from detection._regime import Regimes
from detection._scores import WARM_UP, Scores
from detection._shift import Shifts
from detection._tail import Tail

_MEMORY = 360.0  # updates; an hour of 10 s windows
_SHAPE = 0.5  # Jeffreys prior of a Poisson rate
_DISPERSION = 0.02  # prior over-dispersion: variance = mean + dispersion * mean**2
_DISPERSION_WEIGHT = 20.0  # squared mean counts behind that prior
_TAIL_START = 2.0  # decades
_FLOOR = 1e-300


class CountScorer(Grouped):
    """State of many count series. Rows are given out by the caller, from 0 upwards."""

    def __init__(self) -> None:
        fills = {"counts": 0.0, "exposure": 0.0, "extra": 0.0, "squares": 0.0, "n": 0.0}
        self._columns = Columns(fills)
        self._tail = Tail(_TAIL_START, rate=0.01, excess=0.6)
        self._regimes = Regimes()
        self._shifts = Shifts()
        super().__init__(series=self._columns, tail=self._tail, regimes=self._regimes, shifts=self._shifts)

    def grow(self, size: int, age: np.ndarray | None = None) -> None:
        """Add rows up to `size`; `age` (one a new row) is for how many updates the series is known to have been 0."""
        start = self._columns.size
        if size <= start:
            return
        super().grow(size)
        if age is not None:
            self._columns["n"][start:size] = age
            self._columns["exposure"][start:size] = np.minimum(age, _MEMORY)

    @property
    def size(self) -> int:
        """Number of rows."""
        return self._columns.size

    def update(self, rows: np.ndarray, counts: np.ndarray, exposure: np.ndarray) -> Scores:
        """Score one count a series, then learn it. Where exposure is 0 nothing could be counted: the score is NaN."""
        known = exposure > 0.0
        result = Scores.blank(len(rows))
        rows, counts, exposure = rows[known], counts[known], exposure[known]
        warm = self._columns["n"][rows] >= WARM_UP
        mean, dispersion = self._rate(rows) * exposure, self._dispersion(rows)
        raw = _surprise(counts, mean, dispersion)
        before = self._regimes.before(rows)
        from_before = np.full(len(rows), np.inf)
        recalled = np.isfinite(before)
        if recalled.any():
            from_before[recalled] = _surprise(
                counts[recalled], before[recalled] * exposure[recalled], dispersion[recalled]
            )
        score = self._tail.surprise(rows, np.minimum(raw, from_before))
        band = np.sqrt(mean + dispersion * mean**2)
        shift = self._shifts.score(rows, np.where((from_before < raw) | ~warm, 0.0, (counts - mean) / band))
        result.put(known, Scores(np.where(warm, score, 0.0), mean, band, np.where(warm, shift, 0.0), warm))
        self._learn(rows, counts, exposure, mean, dispersion, raw, from_before)
        return result

    def _rate(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray((self._columns["counts"][rows] + _SHAPE) / (self._columns["exposure"][rows] + 1.0))

    def _dispersion(self, rows: np.ndarray) -> np.ndarray:
        columns = self._columns
        extra = columns["extra"][rows] + _DISPERSION * _DISPERSION_WEIGHT
        learned = np.maximum(extra / (columns["squares"][rows] + _DISPERSION_WEIGHT), 0.0)
        return np.asarray(learned + 1.0 / (columns["counts"][rows] + _SHAPE))

    def _learn(
        self,
        rows: np.ndarray,
        counts: np.ndarray,
        exposure: np.ndarray,
        mean: np.ndarray,
        dispersion: np.ndarray,
        raw: np.ndarray,
        from_before: np.ndarray,
    ) -> None:
        columns = self._columns
        calm = np.minimum(raw, from_before)
        n = columns["n"][rows] + 1.0
        columns["n"][rows] = n
        warm = n > WARM_UP  # before that the mean is no measure of what is too much
        self._tail.learn(rows[warm], calm[warm])
        keep = 1.0 - 1.0 / _MEMORY
        clipped = np.minimum(counts, mean + 4.0 * np.sqrt(mean + dispersion * mean**2) + 1.0)
        trust = self._regimes.trust(rows) * warm
        columns["extra"][rows] = keep * columns["extra"][rows] + trust * ((clipped - mean) ** 2 - clipped)
        columns["squares"][rows] = keep * columns["squares"][rows] + trust * mean**2
        sign = np.where((calm > _TAIL_START) & warm, np.sign(counts - mean), 0.0)
        returned = (from_before < raw) & (raw > _TAIL_START)
        level = self._rate(rows)
        fresh, shifted = self._regimes.advance(rows, counts / exposure, level, sign, returned)
        self._shifts.reset(rows[shifted])
        weight = keep * columns["exposure"][rows] + exposure
        added = np.where(warm, mean + trust * (clipped - mean), counts)
        learned = np.where(returned, columns["counts"][rows], keep * columns["counts"][rows] + added)
        short = np.minimum(weight, 30.0 * exposure)
        columns["counts"][rows] = np.where(shifted, fresh * short, learned)
        columns["exposure"][rows] = np.where(shifted, short, np.where(returned, columns["exposure"][rows], weight))


def _surprise(counts: np.ndarray, mean: np.ndarray, dispersion: np.ndarray) -> np.ndarray:
    """Return -log10 of the two-sided negative-binomial tail probability, at most 1."""
    from scipy.special import betainc

    shape = 1.0 / dispersion
    success = mean / (shape + mean)
    upper = np.where(counts > 0.0, betainc(np.maximum(counts, 1.0), shape, success), 1.0)
    lower = betainc(shape, counts + 1.0, 1.0 - success)
    return np.asarray(-np.log10(np.clip(2.0 * np.minimum(upper, lower), _FLOOR, 1.0)))
