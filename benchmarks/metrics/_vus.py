"""VUS-PR: volume under the surface of precision-recall curves over buffer lengths.

Paparrizos et al., "Volume Under the Surface", PVLDB 15(11), 2022; thresholds, buffers and edge rules as in TSB-AD
(Liu & Paparrizos, NeurIPS 2024), whose values this reproduces.
"""

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.metrics._points import Bools, Floats, Ints, checked, segments


def vus_pr(labels: ArrayLike, scores: ArrayLike, window: int = 100, thresholds: int = 250) -> float:
    """Return the mean of the range-based average precision over buffer lengths l = 0, 1, ..., `window` (points).

    For a buffer length l each labelled run [s, e] reaches l // 2 points to both sides, where a point at distance d of
    it has the label sqrt(1 - d / l); labels of several runs add up to at most 1. Runs whose buffers touch are one
    range. A threshold that flags the points F, of whom the labels sum to TP and those of the buffers alone to B, has

        precision = TP / |F|        recall = min(1, TP / (P + B / 2)) x share of ranges with a flagged point

    with P the number of labelled points. The thresholds are the scores at `thresholds` evenly spaced ranks from first
    to last, and each l gives the sum of (recall_k - recall_(k-1)) precision_k. Only the order of the scores matters;
    a NaN score is the lowest. NaN where no point is labelled.
    """
    truth, values = checked(labels, scores)
    if window < 0 or thresholds < 1:
        raise ValueError(f"window {window}, thresholds {thresholds}; expected at least 0 and 1")
    if not truth.any():
        return float("nan")
    bins, flagged = _bins(values, thresholds)
    buffers = _Buffers(truth, window // 2)
    hits = _cumulative(bins[truth], thresholds)
    areas = np.zeros(window + 1)
    for length in range(window + 1):
        weights = buffers.labels(length)
        extra = _cumulative(bins[buffers.points], thresholds, weights)
        ranges = buffers.ranges(length // 2)
        reached = _cumulative(_first_bin(bins, *ranges), thresholds) / len(ranges[0])
        recall = np.minimum((hits + extra) / (truth.sum() + extra / 2), 1) * reached
        areas[length] = np.sum(np.diff(recall, prepend=0) * (hits + extra) / flagged)
    return float(areas.mean())


def _bins(scores: Floats, thresholds: int) -> tuple[Ints, Ints]:
    """Return for each point the first threshold that flags it, and for each threshold how many points it flags."""
    ascending = np.sort(scores)
    cuts = ascending[::-1][np.linspace(0, len(scores) - 1, thresholds).astype(np.int64)]
    bins = thresholds - np.searchsorted(cuts[::-1], scores, side="right")
    return bins, len(scores) - np.searchsorted(ascending, cuts, side="left")


def _cumulative(bins: Ints, thresholds: int, weights: Floats | None = None) -> Floats:
    """Return the sum of weights (or the count) of what each threshold flags."""
    return np.cumsum(np.bincount(bins, weights, thresholds)[:thresholds], dtype=np.float64)


def _first_bin(bins: Ints, starts: Ints, ends: Ints) -> Ints:
    """Return the smallest bin within each range."""
    edges = np.stack((starts, ends + 1), axis=1).ravel()
    return np.minimum.reduceat(np.append(bins, 0), edges)[::2]


class _Buffers:
    """The points near labelled runs, and their labels for a buffer length."""

    def __init__(self, truth: Bools, reach: int) -> None:
        self._starts, self._ends = segments(truth)
        self._last = len(truth) - 1
        distance = np.arange(1, reach + 1)
        near = np.concatenate((self._starts[:, None] - distance, self._ends[:, None] + distance))
        inside = (near >= 0) & (near <= self._last)
        free = inside & ~truth[np.clip(near, 0, self._last)]
        self.points, self._slot = np.unique(near[free], return_inverse=True)
        self._distance = np.broadcast_to(distance, near.shape)[free]

    def labels(self, length: int) -> Floats:
        """Return the labels of `points`."""
        near = self._distance <= length // 2
        weights = np.sqrt(1 - self._distance[near] / max(length, 1))
        return np.minimum(np.bincount(self._slot[near], weights, len(self.points)), 1.0)

    def ranges(self, reach: int) -> tuple[Ints, Ints]:
        """Return first and last index of the runs with their buffers, those that touch joined."""
        apart = self._ends[:-1] + reach < self._starts[1:] - reach
        starts = self._starts[np.append(True, apart)] - reach
        ends = self._ends[np.append(apart, True)] + reach
        return np.maximum(starts, 0), np.minimum(ends, self._last)
