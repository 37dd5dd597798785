"""PATE: proximity-aware area under the precision-recall curve.

Ghorbani, Reinders & Tax, "PATE: Proximity-Aware Time series anomaly Evaluation", KDD 2024, with the weights as the
authors' package computes them. Two things differ from that package's defaults: equal scores are put in a random
order, for the curve joins its points by lines and would give a constant score about one half; and every score is a
threshold, where the package samples 250 (a difference in the third digit; without sampling it gives the same value).
"""

import itertools

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.metrics._points import Bools, Floats, Ints, checked, segments

_CELLS = 1 << 22  # of the largest temporary matrix


def pate(labels: ArrayLike, scores: ArrayLike, early: int = 100, late: int = 100, seed: int = 0) -> float:
    """Return the mean area over the four pairs of a pre-buffer of 0 or `early` and a post-buffer of 0 or `late` points.

    A labelled run [s, e] has its post-buffer up to e + late, cut short by the next run, and its pre-buffer from
    s - early, cut short by the post-buffer before it. What a threshold flags counts as follows, D(x) being the sum of
    |x - y| over the points y of the run:

    - a point of the run: TP 1
    - x in the post-buffer that ends at b: TP w = 1 - D(x) / D(b), FP 1 - w
    - x in the pre-buffer that begins at a: the same with D(a) if a point of the run is flagged too, else FP 1
    - any other point: FP 1
    - a run without a flagged point: FN 1 for each of its points
    - x missed in another run: FN 1 up to s + c, where c is the length of the first stretch that was found; later
      FN 1 - (sum of |x - y| over y from s to s + c) / D(e)

    Points of the curve (recall, precision) start at (0, 1); those with less recall than one before are dropped; lines
    join the others. Only the order of the scores matters; NaN scores are the lowest. NaN where no point is labelled.
    """
    truth, values = checked(labels, scores)
    if early < 0 or late < 0:
        raise ValueError(f"buffers of {early} and {late} points; expected none below 0")
    if not truth.any():
        return float("nan")
    turn = _turns(values, seed)
    runs = segments(truth)
    missed = _missed(turn, *runs)
    pairs = itertools.product((0, early), (0, late))
    areas = [_area(_found(turn, truth, *runs, *pair), missed) for pair in pairs]
    return float(np.mean(areas))


def _turns(scores: Floats, seed: int) -> Ints:
    """Return when each point is flagged as the threshold falls: 0 first, ties in a seeded random order."""
    order = np.lexsort((np.random.default_rng(seed).random(len(scores)), -scores))
    turn = np.empty(len(scores), dtype=np.int64)
    turn[order] = np.arange(len(scores))
    return turn


def _area(found: Floats, missed: Floats) -> float:
    """Return the area under the curve, given TP and FN at 1, 2, ... flagged points."""
    precision = np.append(1.0, found / np.arange(1, len(found) + 1))
    recall = np.append(0.0, found / (found + missed))
    kept = recall >= np.maximum.accumulate(recall)
    return float(np.trapezoid(precision[kept], recall[kept]))


def _found(turn: Ints, truth: Bools, starts: Ints, ends: Ints, early: int, late: int) -> Floats:
    """Return the weighted TP at 1, 2, ... flagged points."""
    n = len(turn)
    post_end = np.minimum(ends + late, np.append(starts[1:], n) - 1)
    pre_start = np.maximum(starts - early, np.append(0, post_end[:-1] + 1))
    middle = (starts + ends) / 2
    points, run = _spread(pre_start, starts - 1)
    before = 1 - (middle[run] - points) / (middle[run] - pre_start[run])
    first = np.minimum.reduceat(np.append(turn, n), np.stack((starts, ends + 1), axis=1).ravel())[::2]
    later, run_later = _spread(ends + 1, post_end)
    after = 1 - (later - middle[run_later]) / (post_end[run_later] - middle[run_later])

    when = np.concatenate((turn[truth], np.maximum(turn[points], first[run]), turn[later]))
    weights = np.concatenate((np.ones(np.count_nonzero(truth)), before, after))
    return np.cumsum(np.bincount(when, weights, n))


def _spread(firsts: Ints, lasts: Ints) -> tuple[Ints, Ints]:
    """Return all points of the ranges one after the other, and to which range each belongs; a range may be empty."""
    sizes = lasts - firsts + 1
    owner = np.repeat(np.arange(len(sizes)), sizes)
    return np.arange(len(owner)) + (firsts - np.cumsum(sizes) + sizes)[owner], owner


def _missed(turn: Ints, starts: Ints, ends: Ints) -> Floats:
    """Return the weighted FN at 1, 2, ... flagged points."""
    steps = np.zeros(len(turn))
    for first, last in zip(starts, ends, strict=True):
        mine = turn[first : last + 1]
        order = np.argsort(mine)
        steps[mine[order]] = np.diff(_missed_in_run(order), prepend=len(mine))
    total = float(np.sum(ends - starts + 1))
    return np.maximum(total + np.cumsum(steps), 0.0)


def _missed_in_run(order: Ints) -> Floats:
    """Return the FN of a run once 1, 2, ... of its points are flagged, in `order` (positions within the run)."""
    size = len(order)
    place = np.arange(size)
    rank = np.argsort(order)
    leftmost = np.minimum.accumulate(order)
    missed = np.empty(size)
    rows = max(1, _CELLS // size)
    for begin in range(0, size, rows):
        step = np.arange(begin, min(begin + rows, size))
        unseen = rank > step[:, None]
        gap = unseen & (place > leftmost[step, None])
        stretch = np.where(gap.any(axis=1), gap.argmax(axis=1), size) - leftmost[step]
        tail = unseen & (place > stretch[:, None])
        distance = (stretch + 1) * (tail @ place.astype(np.float64)) - stretch * (stretch + 1) / 2 * tail.sum(axis=1)
        missed[step] = size - 1 - step - distance / max(size * (size - 1) / 2, 1)
    return missed
