"""Span signals of a window: share of failed calls and latency, by service.

Durations are compared operation by operation on a logarithmic scale and then averaged over a service's calls, so
that a change in what is called does not look like a change in how long it takes.
"""

import numpy as np
import pyarrow as pa

from detection._counts import CountScorer
from detection._index import SeriesIndex, mix, text_keys
from detection._scorer import MetricScorer
from detection._scores import Scores
from detection._signals import Signals, group_sum, number
from detection._state import Arrays, prefixed, under

_DURATIONS = ("duration_p50_us", "duration_p95_us", "self_p50_us", "self_p95_us")
_ERRORS = ("errors", "error_origins")
_TITLES = {
    "duration_p50_us": "median latency",
    "duration_p95_us": "p95 latency",
    "self_p50_us": "median own time",
    "self_p95_us": "p95 own time",
}


class SpanSignals:
    """Follows every (service, operation) and every service with spans."""

    def __init__(self, limit: int) -> None:
        self._operations = SeriesIndex(limit)
        self._levels = MetricScorer()
        self._latency_index = SeriesIndex(4 * limit)
        self._latency = MetricScorer()
        self._error_index = SeriesIndex(2 * limit)
        self._errors = CountScorer()

    @property
    def refused(self) -> int:
        """Operations seen for the first time after the limit was reached, and so not scored."""
        return self._operations.refused

    def observe(self, spans: pa.Table) -> list[Signals]:
        """Score one WINDOW_SPANS table, then learn it."""
        if not spans.num_rows:
            return []
        spans = spans.sort_by([("service", "ascending"), ("operation", "ascending"), ("caller", "ascending")])
        service, names, keys = text_keys(spans["service"])
        operation, labels, label_keys = text_keys(spans["operation"])
        pair = mix(keys[service], label_keys[operation])
        rows = self._operations.rows(pair, lambda i: (names[service[i]], labels[operation[i]]))
        calls = spans["count"].to_numpy().astype(np.float64)
        use = rows >= 0
        latency = self._latencies(spans.filter(pa.array(use)), service[use], names, keys, rows[use], calls[use])
        return [latency, self._failures(spans, service, names, keys, calls)]

    def _latencies(
        self,
        spans: pa.Table,
        service: np.ndarray,
        names: list[str],
        keys: np.ndarray,
        rows: np.ndarray,
        calls: np.ndarray,
    ) -> Signals:
        unique, at = np.unique(rows, return_inverse=True)
        owner = np.zeros(len(unique), dtype=np.int64)
        owner[at] = service
        weight = np.bincount(at, weights=calls)
        values = np.stack([_log_mean(spans[column], at, calls, weight) for column in _DURATIONS])
        slots = unique * len(_DURATIONS) + np.arange(len(_DURATIONS))[:, None]
        level = self._levels.update(slots.ravel(), values.ravel())
        shape, width = values.shape, len(names)
        cell = (np.arange(len(_DURATIONS))[:, None] * width + owner)[level.warm.reshape(shape)]
        share = np.broadcast_to(weight, shape)[level.warm.reshape(shape)]
        shift = (values.ravel() - level.expected)[level.warm]
        total = np.bincount(cell, weights=share, minlength=len(_DURATIONS) * width)
        have = np.flatnonzero(total > 0.0)
        mean_shift = np.bincount(cell, weights=share * shift, minlength=len(total))[have] / total[have]
        mean_value = (
            np.bincount(cell, weights=share * values.ravel()[level.warm], minlength=len(total))[have] / total[have]
        )
        return self._pool(self._latency_rows(have, names, keys), mean_shift, np.exp(mean_value))

    def _latency_rows(self, cells: np.ndarray, names: list[str], keys: np.ndarray) -> np.ndarray:
        """Return the row of each (duration, service) cell."""
        duration, service = cells // len(names), cells % len(names)

        def name(i: int) -> tuple[str, str]:
            return names[service[i]], _DURATIONS[duration[i]]

        return self._latency_index.rows(mix(keys[service], duration.astype(np.uint64) + np.uint64(1)), name)

    def _pool(self, rows: np.ndarray, shift: np.ndarray, observed: np.ndarray) -> Signals:
        use = rows >= 0
        rows, shift, observed = rows[use], shift[use], observed[use]
        relative = self._latency.update(rows, shift)
        expected = observed * np.exp(relative.expected - shift)
        band = expected * np.expm1(np.minimum(relative.band, 50.0))
        scores = Scores(relative.score, expected, band, relative.shift, relative.warm)

        def explain(i: int) -> str:
            title = _TITLES[self._latency_index.signals[rows[i]]]
            service = self._latency_index.services[rows[i]]
            expect = f"expected {number(expected[i] / 1e3)} ms ± {number(band[i] / 1e3)}"
            return f"{title} of {service} {number(observed[i] / 1e3)} ms, {expect}"

        return Signals("latency", "span", "robust_level", self._latency_index, rows, scores, observed, explain)

    def _failures(
        self, spans: pa.Table, service: np.ndarray, names: list[str], keys: np.ndarray, calls: np.ndarray
    ) -> Signals:
        total = group_sum(service, len(names), calls)
        errors = np.concatenate([group_sum(service, len(names), spans[column].to_numpy()) for column in _ERRORS])
        exposure = np.tile(total, len(_ERRORS))
        which = np.repeat(np.arange(1, len(_ERRORS) + 1, dtype=np.uint64), len(names))

        def name(i: int) -> tuple[str, str]:
            return names[i % len(names)], _ERRORS[i // len(names)]

        row = self._error_index.rows(mix(np.tile(keys, len(_ERRORS)), which), name)
        size = len(self._error_index)
        self._errors.grow(size)
        use = row >= 0
        row, errors, exposure = row[use], errors[use], exposure[use]
        scores = self._errors.update(row, errors, exposure)

        def explain(i: int) -> str:
            what = "failed" if self._error_index.signals[row[i]] == "errors" else "failed by themselves"
            head = f"{number(errors[i])} of {number(exposure[i])} calls of {self._error_index.services[row[i]]} {what}"
            return f"{head}, expected {number(scores.expected[i])} ± {number(scores.band[i])}"

        return Signals("failures", "span", "count_rate", self._error_index, row, scores, errors, explain)

    def meta(self) -> dict[str, object]:
        """Return the names for a snapshot."""
        return {
            "operations": self._operations.meta(),
            "latency_index": self._latency_index.meta(),
            "error_index": self._error_index.meta(),
        }

    def arrays(self) -> Arrays:
        """Return the state."""
        return {
            **prefixed("operations", self._operations.arrays()),
            **prefixed("levels", self._levels.arrays()),
            **prefixed("latency_index", self._latency_index.arrays()),
            **prefixed("latency", self._latency.arrays()),
            **prefixed("error_index", self._error_index.arrays()),
            **prefixed("errors", self._errors.arrays()),
        }

    def load(self, meta: dict[str, dict[str, list[str]]], arrays: Arrays) -> None:
        """Take over a state."""
        self._operations.load(meta["operations"], under("operations", arrays))
        self._levels.load(under("levels", arrays))
        self._latency_index.load(meta["latency_index"], under("latency_index", arrays))
        self._latency.load(under("latency", arrays))
        self._error_index.load(meta["error_index"], under("error_index", arrays))
        self._errors.load(under("errors", arrays))


def _log_mean(durations: pa.ChunkedArray, at: np.ndarray, calls: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the mean logarithm of durations (us) by operation, weighted by calls."""
    return np.asarray(np.bincount(at, weights=calls * np.log(np.maximum(durations.to_numpy(), 1.0))) / weight)
