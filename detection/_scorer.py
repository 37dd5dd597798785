"""Online robust scores of metric series: Huber-clipped exponential level and spread, calibrated by a learned tail.

Everything is measured in points, so one configuration serves 5 s, 60 s and 300 s series. The score of a point uses
only points before it. Multiplying a series by a positive constant changes no score.
"""

from dataclasses import dataclass

import numpy as np

from detection._columns import Columns
from detection._regime import Regimes
from detection._state import Arrays, prefixed, under
from detection._tail import Tail

WARM_UP = 16
"""Points of a series before it gets a score."""

_LEVEL_MEMORY = 180.0  # points; half an hour of 10 s windows: follows the day, outlives a short fault
_SPREAD_MEMORY = 720.0
_CLIP = 3.0  # Huber: what lies beyond moves level and spread no further
_TAIL_START = 2.5  # robust sigmas
_TO_SIGMA = 1.2533  # mean absolute deviation to standard deviation, for a normal distribution
_STEP_FLOOR = 0.5  # a typical change between neighbouring points is at least two floors: quantisation, sparse counts
_RELATIVE_FLOOR = 1e-3
_TINY = 1e-300
_Z_LIMIT = 1e6


@dataclass(frozen=True)
class Scores:
    """One entry a point: `score` in decades of improbability (NaN: no value), and what was expected before it."""

    score: np.ndarray
    expected: np.ndarray
    band: np.ndarray  # robust standard deviation around `expected`
    warm: np.ndarray  # false while the series is too young to be judged; its score is 0 then


class MetricScorer:
    """State of many metric series. Rows are given out by the caller, from 0 upwards."""

    def __init__(self) -> None:
        fills = {"level": 0.0, "spread": 0.0, "step": 0.0, "steps": 0.0, "last": np.nan, "n": 0.0, "first": np.nan}
        self._columns = Columns(fills, {"first": WARM_UP})
        self._tail = Tail(_TAIL_START, rate=0.0124, excess=0.6)
        self._regimes = Regimes()

    def update(self, rows: np.ndarray, values: np.ndarray) -> Scores:
        """Score one point a series, then learn it. `rows` int64 without repetition; `values` may hold NaN."""
        self._grow(int(rows.max(initial=-1)) + 1)
        count = len(rows)
        known = np.isfinite(values)
        result = Scores(np.full(count, np.nan), np.full(count, np.nan), np.full(count, np.nan), np.zeros(count, bool))
        warm = known & (self._columns["n"][rows] >= WARM_UP)
        result.warm[:] = warm
        result.score[known] = 0.0
        young = known & ~warm
        if young.any():
            self._collect(rows[young], values[young])
        if warm.any():
            result.score[warm], result.expected[warm], result.band[warm] = self._judge(rows[warm], values[warm])
        return result

    def _grow(self, size: int) -> None:
        self._columns.grow(size)
        self._tail.grow(size)
        self._regimes.grow(size)

    def _collect(self, rows: np.ndarray, values: np.ndarray) -> None:
        columns = self._columns
        n = columns["n"][rows].astype(np.int64)
        columns["first"][rows, n] = values
        self._learn_step(rows, values)
        columns["n"][rows] = n + 1.0
        ready = rows[n + 1 == WARM_UP]
        first = columns["first"][ready]
        level = np.median(first, axis=1)
        distance = np.abs(first - level[:, None])
        middle = np.median(distance, axis=1) * (1.4826 / _TO_SIGMA)
        columns["level"][ready] = level
        columns["spread"][ready] = np.where(middle > 0.0, middle, distance.mean(axis=1))

    def _learn_step(self, rows: np.ndarray, values: np.ndarray) -> None:
        """Keep the mean size of changes that were not zero: the floor below which a deviation means nothing."""
        columns = self._columns
        change = np.abs(values - columns["last"][rows])
        columns["last"][rows] = values
        moved = change > 0.0  # false for NaN
        rows, change = rows[moved], change[moved]
        steps, step = columns["steps"][rows], columns["step"][rows]
        change = np.where(steps > 8.0, np.minimum(change, 4.0 * step), change)
        columns["step"][rows] = step + (change - step) / np.minimum(steps + 4.0, _SPREAD_MEMORY)
        columns["steps"][rows] = steps + 1.0

    def _judge(self, rows: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        columns = self._columns
        level, n = columns["level"][rows], columns["n"][rows]
        natural = np.maximum(_TO_SIGMA * columns["spread"][rows], _STEP_FLOOR * columns["step"][rows])
        scale = np.maximum(natural, _RELATIVE_FLOOR * np.abs(level)) * (1.0 + 4.0 / n) + _TINY
        deviation = values - level
        away = np.minimum(np.abs(deviation) / scale, _Z_LIMIT)
        from_before = np.abs(values - self._regimes.before(rows)) / scale
        raw = np.fmin(away, from_before)
        score = self._tail.surprise(rows, raw)
        # A series that never moved gives no scale; that it moves at all is as rare as its record is long.
        frozen = (natural == 0.0) & (deviation != 0.0)
        score = np.where(frozen, np.minimum(score, np.log10(n + 1.0) + 1.0), score)
        self._tail.learn(rows, raw)
        self._learn(
            rows, values, deviation, scale, np.where(raw > _TAIL_START, np.sign(deviation), 0.0), from_before < away
        )
        return score, level, scale

    def _learn(
        self,
        rows: np.ndarray,
        values: np.ndarray,
        deviation: np.ndarray,
        scale: np.ndarray,
        sign: np.ndarray,
        nearer_before: np.ndarray,
    ) -> None:
        columns = self._columns
        self._learn_step(rows, values)
        n = columns["n"][rows] + 1.0
        level, spread = columns["level"][rows], columns["spread"][rows]
        returned = nearer_before & (np.abs(deviation) > _TAIL_START * scale)
        fresh, shifted = self._regimes.advance(rows, values, level, sign, returned)
        clipped = np.clip(deviation, -_CLIP * scale, _CLIP * scale)
        follow = level + clipped / np.minimum(n, _LEVEL_MEMORY)
        columns["level"][rows] = np.where(shifted, fresh, np.where(returned, level, follow))
        wider = spread + (np.abs(clipped) - spread) / np.minimum(n, _SPREAD_MEMORY)
        columns["spread"][rows] = np.where(shifted | returned, spread, wider)
        columns["n"][rows] = np.where(shifted, np.minimum(n, _LEVEL_MEMORY / 3.0), n)

    def arrays(self) -> Arrays:
        """Return the state."""
        return {
            **prefixed("series", self._columns.arrays()),
            **prefixed("tail", self._tail.arrays()),
            **prefixed("regimes", self._regimes.arrays()),
        }

    def load(self, arrays: Arrays) -> None:
        """Take over a state."""
        self._columns.load(under("series", arrays))
        self._tail.load(under("tail", arrays))
        self._regimes.load(under("regimes", arrays))
