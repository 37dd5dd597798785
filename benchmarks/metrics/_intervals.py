"""Uncertainty: the bootstrap over cases; Wilson's and the exact Poisson interval come from the score card.

All three return the same shape: `value`, `low`, `high` and `n`. To compare two methods on the same cases, bootstrap
the differences case by case: the change is more than noise if the interval leaves out 0.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.metrics._points import Floats
from faultline.scorecard import rate, share

__all__ = ["bootstrap", "rate", "ratio_of_sums", "share"]

_CELLS = 1 << 21  # of one block of resampled values


def _mean(samples: Floats) -> Floats:
    return np.asarray(samples.mean(axis=1))


def ratio_of_sums(samples: Floats) -> Floats:
    """Statistic for cases of shape (2,): the sum of the first over the sum of the second; NaN where that is 0."""
    over, under = np.moveaxis(samples.sum(axis=1), -1, 0)
    return np.where(under != 0, over / np.where(under != 0, under, 1), np.nan)


def bootstrap(
    cases: ArrayLike,
    statistic: Callable[[Floats], Floats] = _mean,
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, float | int | None]:
    """Return a statistic of the cases with its percentile interval (Efron & Tibshirani 1993, chapter 13).

    Whole cases, rows of (n, ...), are drawn with replacement. `statistic` maps (samples, n, ...) to (samples,);
    resamples for which it is NaN are left out. With few cases the interval is too narrow: report n beside it.
    ValueError: a case is NaN; leave undefined cases out, and count them.
    """
    values = np.asarray(cases, dtype=np.float64)
    n = len(values)
    if not n:
        return {"value": None, "low": None, "high": None, "n": 0}
    if undefined := int(np.isnan(values.reshape(n, -1)).any(axis=1).sum()):
        raise ValueError(f"{undefined} of {n} cases are NaN; expected defined values only")
    rng = np.random.default_rng(seed)
    block = max(1, _CELLS // values.size)
    sizes = [min(block, resamples - begin) for begin in range(0, resamples, block)]
    draws = np.concatenate([statistic(values[rng.integers(n, size=(size, n))]) for size in sizes])
    low, high = np.nanquantile(draws, ((1 - level) / 2, (1 + level) / 2))
    return {"value": float(statistic(values[None])[0]), "low": float(low), "high": float(high), "n": n}
