"""Level shifts: after many outliers in a row the new level is learned, and the one before is remembered for a while."""

import numpy as np

from detection._columns import Columns
from detection._state import Arrays

_ESCAPE = 60.0  # outliers of one sign in a row (10 minutes of 10 s windows) make a new level
_RETURN = 6.0  # points nearer to the level before make that the level again
_RECALL = 360.0  # points for which the level before counts as normal too
_RUN = 3.0  # outliers of one sign in a row that look like a fault or a new level
_IN_RUN = 0.1  # what a point teaches within such a run
_FAST = 20.0  # memory of the candidate level, in points


class Regimes:
    """Candidate and previous level of each series."""

    def __init__(self) -> None:
        self._columns = Columns({"run": 0.0, "candidate": 0.0, "before": np.nan, "age": 0.0, "back": 0.0})

    def grow(self, size: int) -> None:
        """Make room for `size` series."""
        self._columns.grow(size)

    def trust(self, rows: np.ndarray) -> np.ndarray:
        """Return how much the next point may teach: little within a run of outliers, so that a fault is not learned."""
        return np.where(np.abs(self._columns["run"][rows]) >= _RUN, _IN_RUN, 1.0)

    def before(self, rows: np.ndarray) -> np.ndarray:
        """Return the level before the last shift where it still counts as normal, else NaN."""
        return np.asarray(self._columns["before"][rows])

    def advance(
        self, rows: np.ndarray, values: np.ndarray, level: np.ndarray, sign: np.ndarray, returned: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (level, shifted) after these points.

        `sign` is the outlier's direction or 0; `returned` marks values that fit the level before, not the present one.
        """
        columns = self._columns
        run = self._extend_runs(rows, values, sign)
        back = np.where(returned, columns["back"][rows] + 1.0, 0.0)
        escape, swap = np.abs(run) >= _ESCAPE, back >= _RETURN
        shifted = escape | swap
        fresh = np.where(swap, columns["before"][rows], np.where(escape, columns["candidate"][rows], level))
        age = np.where(shifted, 0.0, columns["age"][rows] + 1.0)
        before = np.where(shifted, level, columns["before"][rows])
        columns["before"][rows] = np.where(age > _RECALL, np.nan, before)
        columns["age"][rows] = age
        columns["run"][rows] = np.where(shifted, 0.0, run)
        columns["back"][rows] = np.where(shifted, 0.0, back)
        return fresh, shifted

    def _extend_runs(self, rows: np.ndarray, values: np.ndarray, sign: np.ndarray) -> np.ndarray:
        run, candidate = self._columns["run"][rows], self._columns["candidate"][rows]
        same = sign * run >= 0.0
        longer = np.where(same, run + sign, sign)
        fading = np.sign(run) * np.maximum(np.abs(run) - 2.0, 0.0)
        run = np.where(sign != 0.0, longer, fading)
        weight = 1.0 / np.clip(np.abs(run), 1.0, _FAST)
        self._columns["candidate"][rows] = np.where(sign != 0.0, candidate + (values - candidate) * weight, candidate)
        return run

    def arrays(self) -> Arrays:
        """Return the state."""
        return self._columns.arrays()

    def load(self, arrays: Arrays) -> None:
        """Take over a state."""
        self._columns.load(arrays)
