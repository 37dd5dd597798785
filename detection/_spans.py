"""Span signals of a window: share of failed calls and latency, by service.

Durations are compared operation by operation on a logarithmic scale and then averaged over a service's calls, so
that a change in what is called does not look like a change in how long it takes.
"""

import numpy as np
import pyarrow as pa

from detection._counts import CountScorer
from detection._index import SeriesIndex, mix, text_keys
from detection._scorer import MetricScorer, Scores
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
        blocks, rowset, shown = [], [], []
        for number_of, column in enumerate(_DURATIONS):
            logs = np.log(np.maximum(spans[column].to_numpy(), 1.0))
            value = np.bincount(at, weights=calls * logs) / weight
            level = self._levels.update(unique * len(_DURATIONS) + number_of, value)
            ready = level.warm
            total = np.bincount(owner[ready], weights=weight[ready], minlength=len(names))
            shift = np.bincount(owner[ready], weights=(weight * (value - level.expected))[ready], minlength=len(names))
            mean = np.bincount(owner[ready], weights=(weight * value)[ready], minlength=len(names))
            have = total > 0.0
            blocks.append(shift[have] / total[have])
            shown.append(np.exp(mean[have] / total[have]))
            signal_keys = mix(keys[have], np.full(int(have.sum()), number_of + 1, dtype=np.uint64))
            owners = np.flatnonzero(have)
            rowset.append(self._latency_index.rows(signal_keys, lambda i, o=owners, c=column: (names[o[i]], c)))
        return self._pool(np.concatenate(rowset), np.concatenate(blocks), np.concatenate(shown))

    def _pool(self, rows: np.ndarray, shift: np.ndarray, observed: np.ndarray) -> Signals:
        use = rows >= 0
        rows, shift, observed = rows[use], shift[use], observed[use]
        relative = self._latency.update(rows, shift)
        expected = observed * np.exp(relative.expected - shift)
        band = expected * np.expm1(np.minimum(relative.band, 50.0))
        scores = Scores(relative.score, expected, band, relative.warm)

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
        rows, failed = [], []
        for offset, column in enumerate(_ERRORS):
            failed.append(group_sum(service, len(names), spans[column].to_numpy()))
            signal_keys = mix(keys, np.full(len(keys), offset + 1, dtype=np.uint64))
            rows.append(self._error_index.rows(signal_keys, lambda i, c=column: (names[i], c)))
        size = len(self._error_index)
        self._errors.grow(size, np.zeros(size - self._errors.size))
        row, errors, exposure = np.concatenate(rows), np.concatenate(failed), np.tile(total, len(_ERRORS))
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
