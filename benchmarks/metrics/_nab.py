"""The NAB score: early detections of labelled windows count for, false alerts against, one threshold for all series.

Lavin & Ahmad, "Evaluating Real-Time Anomaly Detection Algorithms", ICMLA 2015, with the constants and edge rules of
the Numenta Anomaly Benchmark v1.1, whose published scores this reproduces. For a point at relative position y,

    sigma(y) = 2 / (1 + exp(5 y)) - 1

- in a window of w points that ends at r, the point i has y = -(r - i + 1) / w, so -1 at the left end. A window earns
  A_TP sigma(y) / sigma(-1) for its first alert, and -A_FN without one. Later alerts in it count for nothing.
- an alert at i outside of windows costs A_FP sigma(y) with y = (i - r) / (w - 1) from the nearest window before it;
  from y = 3 on, and before any window, it costs the whole A_FP.
- true negatives (A_TN) earn nothing. Points in the probationary part, the first 15 % but at most 750, do not count.

The raw scores of all series add up; score = 100 (raw - null) / (perfect - null), where null never alerts and perfect
alerts once at the left end of each window. It can be negative. The threshold is the one that is best for the profile
over the whole corpus, as NAB has it: an upper bound on what an operator would get.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.metrics._points import Floats, Ints, distinct_ends


@dataclass(frozen=True)
class NabProfile:
    """Weights A_TP, A_FP and A_FN of an application."""

    tp: float
    fp: float
    fn: float


NAB_PROFILES = {
    "standard": NabProfile(tp=1.0, fp=0.11, fn=1.0),
    "reward_low_FP_rate": NabProfile(tp=1.0, fp=0.22, fn=1.0),
    "reward_low_FN_rate": NabProfile(tp=1.0, fp=0.11, fn=2.0),
}


@dataclass(frozen=True)
class NabSeries:
    """Scores (n,), higher is worse, NaN = none given = no alert; windows (w, 2): first and last index, in order."""

    scores: ArrayLike
    windows: ArrayLike


@dataclass(frozen=True)
class NabScore:
    """The score and what it is made of.

    `parts` has one row a series: raw - null and perfect - null, so that score = 100 x the ratio of their sums.
    """

    score: float
    threshold: float  # alerts are scores >= threshold; inf: never to alert is best
    parts: Floats


def probation_length(n: int) -> int:
    """Return how many of the first of n points do not count: 15 %, at most those of 5,000 points."""
    return min(math.floor(0.15 * n), 750)


def window_indices(times: ArrayLike, windows: Sequence[Sequence[str | int]]) -> Ints:
    """Return (w, 2) first and last index of the windows, given as [start, end] times that occur in `times`.

    Both as ISO text, datetime64 or whole microseconds since the epoch. Where a time occurs twice, its first
    occurrence is meant, as in NAB. ValueError: a window's start or end is not among the times.
    """
    clock = np.asarray(times, dtype="datetime64[us]")
    found = np.zeros((len(windows), 2), dtype=np.int64)
    for row, window in enumerate(windows):
        for side, moment in enumerate(window):
            at = np.flatnonzero(clock == np.datetime64(moment, "us"))
            if not len(at):
                raise ValueError(f"window {list(window)}: no point at {moment}; expected a time of the series")
            found[row, side] = at[0]
    return found


def nab(series: Sequence[NabSeries], profile: NabProfile, threshold: float | None = None) -> NabScore:
    """Return the NAB score of a corpus; without a `threshold`, at the best one (of equals the highest).

    Windows that lie whole in the probationary part are left out. Where no point has a score there is no alert: the
    score is 0 and the threshold infinite. ValueError: no window is left, or windows overlap, are out of order or
    outside of their series.
    """
    steps = [_steps(one, profile) for one in series]
    windows = np.array([count for _, _, count in steps], dtype=np.float64)
    if not windows.sum():
        raise ValueError(f"no window to find in {len(steps)} series; expected at least one after the probation")
    if threshold is None:
        threshold = _best_threshold(steps)
    gains = np.array([delta[scores >= threshold].sum() for scores, delta, _ in steps])
    parts = np.stack((gains, windows * (profile.tp + profile.fn)), axis=1)
    return NabScore(float(100 * gains.sum() / parts[:, 1].sum()), threshold, parts)


def _best_threshold(steps: Sequence[tuple[Floats, Floats, int]]) -> float:
    scores = np.concatenate([scores for scores, _, _ in steps])
    order = np.argsort(-scores, kind="stable")
    cuts = distinct_ends(scores[order])
    totals = np.cumsum(np.concatenate([delta for _, delta, _ in steps])[order])[cuts]
    if not len(totals) or totals.max() <= 0:
        return math.inf
    return float(scores[order][cuts][np.argmax(totals)])


def _steps(series: NabSeries, profile: NabProfile) -> tuple[Floats, Floats, int]:
    """Return, for the points that count, their scores and what each adds to the raw score as the threshold falls to it.

    Last comes the number of windows that can be found.
    """
    scores = np.asarray(series.scores, dtype=np.float64)
    windows = _checked_windows(series.windows, len(scores))
    index = np.arange(len(scores))
    within = np.searchsorted(windows[:, 0], index, side="right") - 1
    inside = (within >= 0) & (index <= np.append(windows[:, 1], -1)[within])
    probation = probation_length(len(scores))
    counts = (index >= probation) & ~np.isnan(scores)

    alarms = index[counts & ~inside]
    hits = index[counts & inside]
    hits = hits[np.lexsort((hits, -scores[hits], within[hits]))]
    added = _hit_steps(hits, within[hits], windows, profile)
    points = np.concatenate((alarms, hits))
    deltas = np.concatenate((profile.fp * _outside(alarms, windows), added))
    return scores[points], deltas, int(np.count_nonzero(windows[:, 1] >= probation))


def _checked_windows(windows: ArrayLike, n: int) -> Ints:
    pairs = np.asarray(windows, dtype=np.int64).reshape(-1, 2)
    flat = pairs.ravel()
    if len(flat) and (flat[0] < 0 or flat[-1] >= n or (pairs[:, 0] > pairs[:, 1]).any()):
        raise ValueError(f"windows {pairs.tolist()} do not fit {n} points; expected 0 <= first <= last < {n}")
    if (pairs[1:, 0] <= pairs[:-1, 1]).any():
        raise ValueError(f"windows {pairs.tolist()} overlap or are out of order; expected disjoint and ascending")
    return pairs


def _outside(points: Ints, windows: Ints) -> Floats:
    """Return sigma of points outside of windows, negative throughout."""
    if not len(windows):
        return np.full(len(points), -1.0)
    last = np.searchsorted(windows[:, 1], points, side="left") - 1
    width = np.maximum(windows[last, 1] - windows[last, 0], 1e-300)  # a window of one point: nothing is near it
    position = np.where(last < 0, np.inf, (points - windows[last, 1]) / width)
    return np.where(position >= 3, -1.0, _sigma(np.minimum(position, 3)))


def _hit_steps(points: Ints, window: Ints, windows: Ints, profile: NabProfile) -> Floats:
    """Return what points in windows add, given window by window from high to low score: only an earlier one adds."""
    if not len(points):
        return np.zeros(0)
    lift = window * (points.max() + 1)  # falls from window to window, so that one running minimum serves all
    earliest = np.minimum.accumulate(points - lift) + lift
    first, last = windows[window].T
    worth = profile.tp * _sigma(-(last - earliest + 1) / (last - first + 1)) / _sigma(np.array(-1.0))
    before = np.roll(worth, 1)
    before[np.append(True, window[1:] != window[:-1])] = -profile.fn
    return worth - before


def _sigma(position: Floats) -> Floats:
    return 2 / (1 + np.exp(5 * position)) - 1
