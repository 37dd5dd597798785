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
    shift: np.ndarray  # decades of improbability of a lasting deviation that includes this point
    warm: np.ndarray  # false while the series is too young to be judged; its score is 0 then

    @classmethod
    def blank(cls, size: int) -> "Scores":
        """Return scores of `size` points without values."""
        score, expected, band, shift = np.full((4, size), np.nan)
        return cls(score, expected, band, shift, np.zeros(size, dtype=bool))

    def put(self, where: np.ndarray, points: "Scores") -> None:
        """Fill in the points of a mask."""
        for name in ("score", "expected", "band", "shift", "warm"):
            getattr(self, name)[where] = getattr(points, name)

    def only(self, where: np.ndarray) -> "Scores":
        """Return the points of a mask."""
        return Scores(self.score[where], self.expected[where], self.band[where], self.shift[where], self.warm[where])
