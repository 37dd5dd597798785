"""Points, their labels and their scores: checks and small tools shared by the detection metrics."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def checked(labels: ArrayLike, scores: ArrayLike) -> tuple[Bools, Floats]:
    """Return both as arrays of shape (n,); a NaN score (none was given) becomes -inf. ValueError: shapes differ."""
    truth = np.asarray(labels)
    if truth.dtype != np.bool_:
        if not np.isin(truth, (0, 1)).all():
            raise ValueError(f"labels hold {np.setdiff1d(truth, (0, 1))[:3].tolist()}; expected 0 and 1 only")
        truth = truth.astype(np.bool_)
    values = np.asarray(scores, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != values.shape or not len(truth):
        raise ValueError(f"labels have shape {truth.shape}, scores {values.shape}; expected the same (n,), n > 0")
    return truth, np.where(np.isnan(values), -np.inf, values)


def segments(labels: Bools) -> tuple[Ints, Ints]:
    """Return first and last index of each maximal run of true points."""
    edges = np.diff(labels.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1


def window_mask(n: int, windows: ArrayLike) -> Bools:
    """Return shape (n,): true inside any of the windows, index pairs (w, 2) with both ends inclusive."""
    mask = np.zeros(n, dtype=np.bool_)
    for first, last in np.asarray(windows, dtype=np.int64).reshape(-1, 2):
        mask[first : last + 1] = True
    return mask


def distinct_ends(descending: Floats) -> Ints:
    """Return the last index of each run of equal values: where a threshold can cut a list sorted from high to low."""
    ends = np.ones(len(descending), np.bool_)
    ends[:-1] = descending[1:] != descending[:-1]
    return np.flatnonzero(ends)


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the precision-recall curve of single points, by steps: sum of (R_k - R_(k-1)) P_k.

    k runs over the distinct scores from high to low; no interpolation, since joining two points of a PR curve by a
    line is too kind (Davis & Goadrich, ICML 2006). NaN where no point is labelled.
    """
    truth, values = checked(labels, scores)
    if not truth.any():
        return float("nan")
    order = np.argsort(-values, kind="stable")
    cuts = distinct_ends(values[order])
    hits = np.cumsum(truth[order])[cuts]
    return float(np.sum(np.diff(hits, prepend=0) * hits / (cuts + 1)) / truth.sum())
