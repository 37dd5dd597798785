"""Metric detectors to compare with. Each takes the values (n,) of one series and returns scores (n,) and a threshold.

A score uses values up to its own time only (a constant and random ones use none). Higher is worse; NaN: no score yet.
"""

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

Floats = npt.NDArray[np.float64]
Scored = tuple[Floats, float]

WINDOW = 288
SIGMAS = 3.0
ALPHA = 2 / (WINDOW + 1)
KNN_WINDOW = 24
KNN_NEIGHBOURS = 5
KNN_REFERENCE = 2_000
_TINY = 1e-12


def constant(values: Floats, seed: int) -> Scored:
    """The same score for every point, an alert each: what a metric gives for nothing."""
    return np.zeros(len(values)), 0.0


def random(values: Floats, seed: int) -> Scored:
    """Uniform random scores, an alert for one point in a thousand: what a metric gives for noise."""
    return np.random.default_rng(seed).random(len(values)), 0.999


def nsigma(values: Floats, seed: int) -> Scored:
    """N-sigma: |x - m| / s, with mean m and standard deviation s of the 288 points before; alert from 3 on. The first
    288 points have no score."""
    scores = np.full(len(values), np.nan)
    if len(values) > WINDOW:
        past = sliding_window_view(values, WINDOW)[:-1]
        centre, spread = past.mean(axis=1), past.std(axis=1)
        scores[WINDOW:] = np.abs(values[WINDOW:] - centre) / np.maximum(spread, _TINY + 1e-9 * np.abs(centre))
    return scores, SIGMAS


def ewma(values: Floats, seed: int) -> Scored:
    """EWMA: |x - m| / s, with m and s^2 the exponentially weighted mean and variance of all points before, weight
    2 / 289 for the newest (a span of 288 points), begun with the first 24; alert from 3 on."""
    scores = np.full(len(values), np.nan)
    first = values[:KNN_WINDOW]
    if not len(first):
        return scores, SIGMAS
    centre, spread = float(first.mean()), float(first.var())
    for at in range(KNN_WINDOW, len(values)):
        away = values[at] - centre
        scores[at] = abs(away) / max(spread**0.5, _TINY + 1e-9 * abs(centre))
        centre += ALPHA * away
        spread = (1 - ALPHA) * (spread + ALPHA * away**2)
    return scores, SIGMAS


def knn(values: Floats, seed: int) -> Scored:
    """PyOD's KNN on causal windows: a point stands for the 24 points that end at it, in units of the mean and standard
    deviation of the reference; its score is the distance to the 5th nearest reference window, over the reference's 99 %
    quantile of that distance; alert from 2 on. The reference is the newest 2,000 windows that ended before, chosen anew
    whenever the series has grown by a tenth, at first after 15 % of it (150 to 750 points)."""
    from pyod.models.knn import KNN

    scores = np.full(len(values), np.nan)
    n = len(values)
    start = max(min(max(n * 15 // 100, 150), 750), KNN_WINDOW + 2 * KNN_NEIGHBOURS)
    if n <= start:
        return scores, 2.0
    windows = sliding_window_view(values, KNN_WINDOW)  # row i ends at point i + KNN_WINDOW - 1
    begin = start
    while begin < n:
        end = min(n, begin + max(begin // 10, 50))
        known = windows[max(0, begin - KNN_WINDOW + 1 - KNN_REFERENCE) : begin - KNN_WINDOW + 1]
        centre, spread = known.mean(), max(float(known.std()), _TINY)
        model = KNN(n_neighbors=KNN_NEIGHBOURS, method="largest")
        model.fit((known - centre) / spread)
        typical = max(float(np.quantile(model.decision_scores_, 0.99)), 1e-6)
        rows = windows[begin - KNN_WINDOW + 1 : end - KNN_WINDOW + 1]
        scores[begin:end] = model.decision_function((rows - centre) / spread) / typical
        begin = end
    return scores, 2.0
