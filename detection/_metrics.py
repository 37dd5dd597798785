"""Metric signals of a window: one robust score a series, and one a service for how many points it sent."""

import numpy as np
import pyarrow as pa

from detection._counts import CountScorer
from detection._index import SeriesIndex, mix, text_keys
from detection._scorer import MetricScorer
from detection._signals import Signals, group_sum, number
from detection._state import Arrays, prefixed, under


class MetricSignals:
    """Follows every (service, metric); a window's value is the mean of its points, or a counter's last."""

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
        times = metrics["time"].cast(pa.int64()).to_numpy()
        unique, values = _window_values(rows, times, metrics["value"].to_numpy())
        return [self._score(unique, values), self._silence(service_keys, services, service)]

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
        self._reports.grow(size)
        points = np.zeros(size)
        seen = present >= 0
        points[present[seen]] = group_sum(codes, len(services), np.ones(len(codes)))[seen]
        rows = np.arange(size)
        scores = self._reports.update(rows, points, np.ones(size))

        def explain(i: int) -> str:
            expected = number(scores.expected[i])
            return f"{self._reporting.services[i]} sent {number(points[i])} metric points, expected {expected}"

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


def _window_values(rows: np.ndarray, times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (unique rows, one value each): the mean, or the last of whole numbers that do not fall (counters).

    Points are summed in order of time, then size, so that their order in the table does not matter.
    """
    keep = (rows >= 0) & np.isfinite(values)
    rows, times, values = rows[keep], times[keep], values[keep]
    if not len(rows):
        return rows, values
    order = np.lexsort((values, times, rows))
    rows, values = rows[order], values[order]
    first = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    last = np.r_[first[1:], len(rows)] - 1
    mean = np.add.reduceat(values, first) / (last - first + 1)
    fell = np.r_[False, (values[1:] < values[:-1]) & (rows[1:] == rows[:-1])]
    count_like = ~np.logical_or.reduceat(fell | (values != np.floor(values)), first)
    return rows[first], np.where(count_like, values[last], mean)
