"""Events and alerts: what someone on call would see of a detector, instead of single points."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.metrics._classes import harmonic
from benchmarks.metrics._points import Bools, checked, distinct_ends, segments

_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class EventScore:
    """Precision over points, recall over events, and their harmonic mean; all 0 to 1, recall NaN without events."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """2 P R / (P + R)."""
        return harmonic(self.precision, self.recall)


def event_score(labels: ArrayLike, flagged: ArrayLike) -> EventScore:
    """Composite F-score Fc1 of Garg et al., TNNLS 2021, for booleans of shape (n,).

    Recall is the share of labelled runs with at least one flagged point. Precision is the share of flagged points
    that are labelled, 0 if none is: with alerts as its unit, flagging everything would be one correct alert.
    """
    truth, said = checked(labels, np.asarray(flagged, dtype=np.float64))
    starts, ends = segments(truth)
    alarms = said > 0
    seen = np.append(0, np.cumsum(alarms))
    recall = float(np.mean(seen[ends + 1] > seen[starts])) if len(starts) else float("nan")
    total = int(np.count_nonzero(alarms))
    precision = np.count_nonzero(truth & alarms) / total if total else 0.0
    return EventScore(float(precision), recall)


def best_event_score(labels: ArrayLike, scores: ArrayLike) -> tuple[EventScore, float]:
    """Return the event score at the threshold with the best F1, of equals the highest, and that threshold.

    The labels choose the threshold: an upper bound ("oracle"), to compare score files that come without one. A NaN
    score is never flagged. NaN recall where no point is labelled.
    """
    truth, values = checked(labels, scores)
    starts, ends = segments(truth)
    if not len(starts) or np.isneginf(values).all():
        return EventScore(0.0, 0.0 if len(starts) else float("nan")), float("inf")
    order = np.argsort(-values, kind="stable")
    cuts = distinct_ends(values[order])
    cuts = cuts[values[order][cuts] > -np.inf]
    thresholds = values[order][cuts]
    edges = np.stack((starts, ends + 1), axis=1).ravel()
    peaks = np.sort(np.maximum.reduceat(np.append(values, -np.inf), edges)[::2])
    recall = (len(peaks) - np.searchsorted(peaks, thresholds, side="left")) / len(peaks)
    precision = np.cumsum(truth[order])[cuts] / (cuts + 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    best = int(np.argmax(f1))
    return EventScore(float(precision[best]), float(recall[best])), float(thresholds[best])


@dataclass(frozen=True)
class AlertCount:
    """Alerts that began in the counted part of a series, and how long that part is."""

    alerts: int
    days: float


def count_alerts(times: ArrayLike, flagged: ArrayLike, counted: ArrayLike, gap_s: float = 1800.0) -> AlertCount:
    """Count the alerts of one series; their rate a series-day is `rate(alerts, hours=24 * days)` of the sums.

    Flagged points less than `gap_s` after the one before belong to the same alert, which is counted where it began.
    `counted` (n,) says which points are normal operation after warm-up; each stands for the median time step. Quote
    no such rate without the recall at the same threshold. `times` (n,) ascending, as numpy reads datetime64.
    ValueError: shapes differ, fewer than two points, or times go back.
    """
    clock = np.asarray(times, dtype="datetime64[us]").astype(np.int64)
    alarms, normal = np.asarray(flagged, dtype=np.bool_), np.asarray(counted, dtype=np.bool_)
    if not clock.shape == alarms.shape == normal.shape or clock.ndim != 1 or len(clock) < 2:
        raise ValueError(f"times {clock.shape}, flags {alarms.shape}, counted {normal.shape}; expected one (n,), n > 1")
    steps = np.diff(clock)
    if (steps < 0).any():
        raise ValueError(f"time goes back after point {int(np.argmax(steps < 0))}; expected ascending times")
    begins = _begins(clock, alarms, gap_s)
    days = np.count_nonzero(normal) * float(np.median(steps)) / _DAY_US
    return AlertCount(int(np.count_nonzero(normal & begins)), days)


def _begins(clock: np.ndarray[tuple[int], np.dtype[np.int64]], alarms: Bools, gap_s: float) -> Bools:
    at = np.flatnonzero(alarms)
    fresh = np.append(True, np.diff(clock[at]) >= gap_s * 1e6)[: len(at)]
    begins = np.zeros(len(alarms), dtype=np.bool_)
    begins[at[fresh]] = True
    return begins
