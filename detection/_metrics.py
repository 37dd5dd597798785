"""Metric signals of a window: one robust score a series, and one a service for how many points it sent."""

import numpy as np
import pyarrow as pa

from detection._counts import CountScorer
from detection._index import SeriesIndex, mix, text_keys
from detection._scorer import MetricScorer
from detection._signals import Signals, group_sum, number
from detection._state import Arrays, prefixed, under


class MetricSignals:
    """Follows every (service, metric); the value of a window is the mean of its points."""

    def __init__(self, limit: int) -> None:
        self.index = SeriesIndex(limit)
        self._scorer = MetricScorer()
        self._reporting = SeriesIndex(limit)
        self._reports = CountScorer()

    def observe(self, metrics: pa.Table) -> list[Signals]:
        """Score one WINDOW_METRICS table, then learn it."""
        if not metrics.num_rows:
            return []
        service, services, service_keys = text_keys(metrics["service"])
        metric, names, metric_keys = text_keys(metrics["metric"])
        keys = mix(service_keys[service], metric_keys[metric])
        rows = self.index.rows(keys, lambda i: (services[service[i]], names[metric[i]]))
        values = metrics["value"].to_numpy()
        unique, means = _means(rows, values)
        return [self._score(unique, means), self._silence(service_keys, services, service)]

    def _score(self, rows: np.ndarray, values: np.ndarray) -> Signals:
        scores = self._scorer.update(rows, values)

        def explain(i: int) -> str:
            signal, service = self.index.signals[rows[i]], self.index.services[rows[i]]
            expected, band = number(scores.expected[i]), number(scores.band[i])
            return f"{signal} of {service} {number(values[i])}, expected {expected} ± {band}"

        return Signals("metric", "metric", "robust_level", self.index, rows, scores, values, explain)

    def _silence(self, keys: np.ndarray, services: list[str], codes: np.ndarray) -> Signals:
        present = self._reporting.rows(keys, lambda i: (services[i], "points"))
        size = len(self._reporting)
        self._reports.grow(size, np.zeros(size - self._reports.size))
        points = np.zeros(size)
        seen = present >= 0
        points[present[seen]] = group_sum(codes, len(services), np.ones(len(codes)))[seen]
        rows = np.arange(size)
        scores = self._reports.update(rows, points, np.ones(size))

        def explain(i: int) -> str:
            return f"{self._reporting.services[i]} sent {number(points[i])} metric points, expected {number(scores.expected[i])}"

        return Signals("points", "metric", "count_rate", self._reporting, rows, scores, points, explain)

    def meta(self) -> dict[str, object]:
        """Return the names for a snapshot."""
        return {"index": self.index.meta(), "reporting": self._reporting.meta()}

    def arrays(self) -> Arrays:
        """Return the state."""
        return {
            **prefixed("index", self.index.arrays()),
            **prefixed("scorer", self._scorer.arrays()),
            **prefixed("reporting", self._reporting.arrays()),
            **prefixed("reports", self._reports.arrays()),
        }

    def load(self, meta: dict[str, dict[str, list[str]]], arrays: Arrays) -> None:
        """Take over a state."""
        self.index.load(meta["index"], under("index", arrays))
        self._scorer.load(under("scorer", arrays))
        self._reporting.load(meta["reporting"], under("reporting", arrays))
        self._reports.load(under("reports", arrays))


def _means(rows: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (unique rows, mean finite value of each); summed in order of size, so the order of points is no matter."""
    keep = (rows >= 0) & np.isfinite(values)
    rows, values = rows[keep], values[keep]
    if not len(rows):
        return rows, values
    order = np.lexsort((values, rows))
    rows, values = rows[order], values[order]
    first = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    counts = np.diff(np.r_[first, len(rows)])
    return rows[first], np.add.reduceat(values, first) / counts
