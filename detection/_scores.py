"""What every scorer returns."""

from dataclasses import dataclass

import numpy as np

WARM_UP = 16
"""Points of a series before it gets a score."""


@dataclass(frozen=True)
class Scores:
    """One entry a point: `score` in decades of improbability (NaN: no value), and what was expected before it."""

    score: np.ndarray
    expected: np.ndarray
    band: np.ndarray  # robust standard deviation around `expected`
    warm: np.ndarray  # false while the series is too young to be judged; its score is 0 then

    @classmethod
    def blank(cls, size: int) -> "Scores":
        """Return scores of `size` points without values."""
        return cls(np.full(size, np.nan), np.full(size, np.nan), np.full(size, np.nan), np.zeros(size, dtype=bool))

    def put(
        self, where: np.ndarray, score: np.ndarray, expected: np.ndarray, band: np.ndarray, warm: np.ndarray
    ) -> None:
        """Fill in the points of a mask."""
        self.score[where], self.expected[where], self.band[where], self.warm[where] = score, expected, band, warm
