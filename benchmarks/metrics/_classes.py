"""Precision, recall and F1 of yes-or-no answers, as for log sessions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


def harmonic(a: float, b: float) -> float:
    """Return 2ab / (a + b), the F-score of two shares; 0 where both are 0."""
    return 2 * a * b / (a + b) if a + b else 0.0


@dataclass(frozen=True)
class Classes:
    """Counts of right and wrong answers. A share of nothing is 0: who never answers yes has precision 0."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def precision(self) -> float:
        """TP / (TP + FP)."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else 0.0

    @property
    def recall(self) -> float:
        """TP / (TP + FN)."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else 0.0

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN)."""
        return harmonic(self.precision, self.recall)


def classes(truth: ArrayLike, predicted: ArrayLike) -> Classes:
    """Return the counts for booleans of shape (n,). ValueError: shapes differ."""
    yes, said = np.asarray(truth, dtype=np.bool_), np.asarray(predicted, dtype=np.bool_)
    if yes.shape != said.shape or yes.ndim != 1:
        raise ValueError(f"truth has shape {yes.shape}, predictions {said.shape}; expected the same (n,)")
    tp, fp, fn = (int(np.count_nonzero(x)) for x in (yes & said, ~yes & said, yes & ~said))
    return Classes(tp, fp, fn, len(yes) - tp - fp - fn)
