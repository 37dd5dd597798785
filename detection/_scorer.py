"""Online robust scores of metric series: Huber-clipped exponential level and spread, calibrated by a learned tail.

Everything is measured in points, so one configuration serves 5 s, 60 s and 300 s series. The score of a point uses
only points before it. Multiplying a series by a positive constant changes no score.

A series of whole numbers that never fell is taken for a cumulative counter (restarts, requests so far): what counts
then is by how much it grew, which is scored as a count.
"""

import numpy as np

from detection._columns import Columns, Grouped
from detection._counts import CountScorer
from detection._regime import Regimes
from detection._scores import WARM_UP, Scores
from detection._shift import Shifts
from detection._tail import Tail

_LEVEL_MEMORY = 180.0  # points; half an hour of 10 s windows: follows the day, outlives a short fault
_SPREAD_MEMORY = 720.0
_CLIP = 3.0  # Huber: what lies beyond moves level and spread no further
_TAIL_START = 2.5  # robust sigmas
_TO_SIGMA = 1.2533  # mean absolute deviation to standard deviation, for a normal distribution
_STEP_FLOOR = 0.5  # a typical change between neighbouring points is at least two floors: quantisation, sparse counts
_RELATIVE_FLOOR = 1e-3
_TINY = 1e-300
_Z_LIMIT = 1e6


class MetricScorer(Grouped):
    """State of many metric series. Rows are given out by the caller, from 0 upwards."""

    def __init__(self) -> None:
        fills = {
            "level": 0.0,
            "spread": 0.0,
            "step": 0.0,
            "steps": 0.0,
            "last": np.nan,
            "n": 0.0,
            "first": np.nan,
            "counter": 1.0,
        }
        self._columns = Columns(fills, {"first": WARM_UP})
        self._tail = Tail(_TAIL_START, rate=0.0124, excess=0.6)
        self._regimes = Regimes()
        self._shifts = Shifts()
        self._growth = CountScorer()
        super().__init__(
            series=self._columns, tail=self._tail, regimes=self._regimes, shifts=self._shifts, growth=self._growth
        )

    def update(self, rows: np.ndarray, values: np.ndarray) -> Scores:
        """Score one point a series, then learn it. `rows` int64 without repetition; `values` may hold NaN."""
        self.grow(int(rows.max(initial=-1)) + 1)
        known = np.isfinite(values)
        counter = known & self._is_counter(rows, values)
        young = known & (self._columns["n"][rows] < WARM_UP)
        result = Scores.blank(len(rows))
        result.score[known] = 0.0
        if counter.any():
            result.put(counter, self._grown(rows[counter], values[counter]))
        if young.any():
            self._collect(rows[young], values[young])
        ready = known & ~young
        if ready.any():
            result.put(ready & ~counter, self._judge(rows[ready], values[ready]).only(~counter[ready]))
        return result

    def _grown(self, rows: np.ndarray, values: np.ndarray) -> Scores:
        """Score by how much counters grew since their last point."""
        grown = np.nan_to_num(values - self._columns["last"][rows])
        scores = self._growth.update(rows, grown, np.ones(len(grown)))
        return Scores(scores.score, values - grown + scores.expected, scores.band, scores.shift, scores.warm)

    def _is_counter(self, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return which series are counters including this point; one that ceased to be never is again."""
        columns = self._columns
        fits = (values == np.floor(values)) & ~(values < columns["last"][rows])
        counter = (columns["counter"][rows] > 0.0) & (fits | ~np.isfinite(values))
        columns["counter"][rows] = counter
        return np.asarray(counter)

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

    @np.errstate(over="ignore")  # values near the largest float: an infinite distance is what it looks like
    def _judge(self, rows: np.ndarray, values: np.ndarray) -> Scores:
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
        shift = self._shifts.score(rows, np.where(from_before < away, 0.0, deviation / scale))
        self._learn(
            rows, values, deviation, scale, np.where(raw > _TAIL_START, np.sign(deviation), 0.0), from_before < away
        )
        return Scores(score, level, scale, shift, np.ones(len(rows), dtype=bool))

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
        trust = self._regimes.trust(rows)
        fresh, shifted = self._regimes.advance(rows, values, level, sign, returned)
        self._shifts.reset(rows[shifted])
        clipped = np.clip(deviation, -_CLIP * scale, _CLIP * scale)
        follow = level + trust * clipped / np.minimum(n, _LEVEL_MEMORY)
        columns["level"][rows] = np.where(shifted, fresh, np.where(returned, level, follow))
        wider = spread + trust * (np.abs(clipped) - spread) / np.minimum(n, _SPREAD_MEMORY)
        columns["spread"][rows] = np.where(shifted | returned, spread, wider)
        columns["n"][rows] = np.where(shifted, np.minimum(n, _LEVEL_MEMORY / 3.0), n)
