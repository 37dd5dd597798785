"""The year of times that state none, where the user said which year they begin in.

Times that begin again have passed New Year. What is decided for a line depends on the lines of its stream before it
alone, and seeing the same line once more changes nothing: a line that is held back comes twice.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parsing._columns import Ints
from parsing._times import INVALID

NOMINAL = 2000
"""The year such times are read in at first: it has all days there can be."""
_DAY_US = 86_400_000_000
_BACK_US = 183 * _DAY_US  # a jump back by more is one into the next year
_STRAY_US = 31 * _DAY_US  # and one ahead is a straggler of the old year, if no older than this
_LAST = 2200


class Years:
    """Where one stream is: the year of its newest time, and that time (us, as written)."""

    def __init__(self, first: int) -> None:
        self._first = self._year = first
        self._newest = INVALID

    def date(self, nominal: Ints) -> Ints:
        """Return times read in the nominal year, in the order of their lines, in the years they are of (us)."""
        times = _dated(nominal, self._year)
        before = np.maximum.accumulate(np.concatenate(([self._newest], times)))
        if self._newest == INVALID and len(times):
            before[0] = times[0]
        back = (times != INVALID) & (times < before[:-1] - _BACK_US)
        ahead = times > before[:-1] + _BACK_US if self._year > self._first else np.zeros(len(times), np.bool_)
        if not (back | ahead).any():
            self._newest = int(before[-1])
            return times
        return np.array([self._date_one(nominal[i : i + 1]) for i in range(len(nominal))], np.int64)

    def _date_one(self, nominal: Ints) -> int:
        time = int(_dated(nominal, self._year)[0])
        if self._newest != INVALID and time != INVALID:
            if time < self._newest - _BACK_US and self._year < _LAST:
                self._year += 1
                time = int(_dated(nominal, self._year)[0])
            elif time > self._newest + _BACK_US and self._year > self._first:
                stray = int(_dated(nominal, self._year - 1)[0])
                time = stray if stray >= self._newest - _STRAY_US else time
        self._newest = max(self._newest, time)
        return time

    def snapshot(self) -> list[int]:
        """Return the state as JSON."""
        return [self._year, self._newest]

    def restore(self, saved: Sequence[int]) -> None:
        """Take over what `snapshot` returned."""
        self._year, self._newest = saved


def _dated(nominal: Ints, year: int) -> Ints:
    """Return times of the nominal year as of another one; INVALID on a day that it lacks."""
    day = nominal // _DAY_US - _new_year(NOMINAL)
    leap = _new_year(year + 1) - _new_year(year) == 366
    after_february: NDArray[np.bool_] = (day >= 60) & (not leap)
    moved = nominal + (_new_year(year) - _new_year(NOMINAL) - after_february) * _DAY_US
    return np.where((day == 59) & (not leap), INVALID, moved)


def _new_year(year: int) -> int:
    return int(np.datetime64(f"{year}-01-01", "D").astype(np.int64))
