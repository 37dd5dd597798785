"""What the scorers of one window hand to the detector: scored signals in columns."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from detection._index import SeriesIndex
from detection._scores import Scores


@dataclass(frozen=True)
class Signals:
    """Scored signals of one kind; entry i belongs to series `rows[i]` of `index`."""

    name: str  # of the group, unique in a detector
    kind: str  # "metric", "log" or "span"
    detector: str
    index: SeriesIndex
    rows: np.ndarray
    scores: Scores
    observed: np.ndarray
    explain: Callable[[int], str]  # entry number to a sentence


def number(value: float) -> str:
    """Return a number as people write it: three significant digits, no exponent below a million."""
    if value == 0.0 or not np.isfinite(value):
        return "0" if value == 0.0 else str(value)
    if abs(value) >= 1e6 or abs(value) < 1e-3:
        return f"{value:.2e}"
    return f"{value:.0f}" if abs(value) >= 100.0 else f"{value:.3g}"


def group_sum(groups: np.ndarray, size: int, values: np.ndarray) -> np.ndarray:
    """Return sums of integer-valued `values` by group number; exact, so the order of rows does not matter."""
    return np.bincount(groups, weights=values, minlength=size)
