"""The live detector: windows of telemetry in, anomalies out."""

from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from detection._columns import Columns
from detection._logs import LogSignals
from detection._metrics import MetricSignals
from detection._pattern import FEATURES, PatternSignals
from detection._settings import DetectorSettings
from detection._signals import Signals
from detection._spans import SpanSignals
from detection._state import Arrays, pack, prefixed, under, unpack
from telemetry import ANOMALIES, CorruptState, Window

FORMAT_VERSION = 1

_DECAY = 0.5  # of evidence, from one window to the next
_NORMAL = 1.0  # decades that a signal may show in any window without being evidence
_PRESENT = 1.5  # decades a signal must show in this very window to be reported
_GROUPS = ("metric", "points", "template", "errors", "new", "latency", "failures", "pattern")
_KINDS = ("metric", "log", "span")


class Detector:
    """Scores all signals of each window and reports those with enough evidence.

    A signal's evidence is what it showed beyond normal in this window plus half of what it had before: a single
    extreme window or a persistent deviation. The bar is lower where other signals of the same service agree.
    """

    def __init__(self, settings: DetectorSettings | None = None) -> None:
        self.settings = settings or DetectorSettings()
        limit = self.settings.max_series
        self._metrics = MetricSignals(limit)
        self._logs = LogSignals(limit)
        self._spans = SpanSignals(limit)
        self._pattern = PatternSignals(limit, self.settings.pattern_refit_s * 1_000_000)
        self._evidence = {name: Columns({"evidence": 0.0, "window": -1.0}) for name in _GROUPS}

    def update(self, window: Window) -> pa.Table:
        """Score one window, learn it, and return its anomalies (ANOMALIES, ordered by service, kind, signal).

        Windows come in order of time; a window may be missing. The order of rows inside a window has no effect.
        """
        signals = [*self._metrics.observe(window.metrics), *self._logs.observe(window.logs)]
        signals += self._spans.observe(window.spans)
        number = window.end // max(window.end - window.start, 1)
        found = [_Hot(group, self._accumulate(group, number)) for group in signals]
        if self.settings.pattern:
            services, features = _features(found)
            keys = np.array([xxhash.xxh3_64_intdigest(name.encode()) for name in services], dtype=np.uint64)
            for group in self._pattern.observe(window.end, services, keys, features):
                found.append(_Hot(group, self._accumulate(group, number)))
        rows = self._report(window, found)
        self._pattern.keep(window.end, max(window.end - window.start, 1), {row["service"] for row in rows})
        return pa.Table.from_pylist(rows, schema=ANOMALIES)

    def _accumulate(self, group: Signals, number: int) -> np.ndarray:
        """Return the evidence of each entry after this window."""
        columns = self._evidence[group.name]
        columns.grow(len(group.index))
        before, since = columns["evidence"][group.rows], number - columns["window"][group.rows]
        now = np.maximum(np.nan_to_num(group.scores.score) - _NORMAL, 0.0)
        evidence = before * _DECAY ** np.minimum(since, 60.0) + now
        columns["evidence"][group.rows] = evidence
        columns["window"][group.rows] = number
        return np.where(group.scores.score >= _PRESENT, evidence, 0.0)

    def _report(self, window: Window, found: list["_Hot"]) -> list[dict[str, Any]]:
        settings = self.settings
        backing: dict[str, int] = {}
        hot = [(group, int(i)) for group in found for i in np.flatnonzero(group.evidence >= settings.corroborated)]
        for group, i in hot:
            service = group.signals.index.services[group.signals.rows[i]]
            backing[service] = backing.get(service, 0) + 1
        rows = []
        for group, i in hot:
            service = group.signals.index.services[group.signals.rows[i]]
            threshold = settings.corroborated if backing[service] > 1 else settings.alone
            if group.evidence[i] >= threshold:
                rows.append(_row(window, group, i, threshold))
        return sorted(rows, key=lambda row: (row["service"], row["kind"], row["signal"], row["detector"]))

    @property
    def refused(self) -> int:
        """Series seen for the first time after the limit was reached, and so not scored."""
        return self._metrics.index.refused + self._logs.index.refused

    def snapshot(self) -> bytes:
        """Return the whole state; `restore` continues from it bit for bit."""
        parts = self._parts()
        arrays: Arrays = {}
        for name, part in parts.items():
            arrays |= prefixed(name, part.arrays())
        for name, columns in self._evidence.items():
            arrays |= prefixed(f"evidence/{name}", columns.arrays())
        return pack({"version": FORMAT_VERSION, **{name: part.meta() for name, part in parts.items()}}, arrays)

    @classmethod
    def restore(cls, data: bytes, settings: DetectorSettings | None = None) -> "Detector":
        """Return the detector a snapshot was taken of. Raises CorruptState."""
        meta, arrays = unpack(data)
        if meta.get("version") != FORMAT_VERSION:
            raise CorruptState(f"detector snapshot has format version {meta.get('version')}; want {FORMAT_VERSION}")
        detector = cls(settings)
        for name, part in detector._parts().items():
            part.load(meta[name], under(name, arrays))
        for name, columns in detector._evidence.items():
            columns.load(under(f"evidence/{name}", arrays))
        return detector

    def _parts(self) -> dict[str, MetricSignals | LogSignals | SpanSignals | PatternSignals]:
        return {"metrics": self._metrics, "logs": self._logs, "spans": self._spans, "pattern": self._pattern}


class _Hot:
    """The signals of a group with their evidence."""

    def __init__(self, signals: Signals, evidence: np.ndarray) -> None:
        self.signals = signals
        self.evidence = evidence


def _row(window: Window, hot: _Hot, i: int, threshold: float) -> dict[str, Any]:
    group = hot.signals
    row = group.rows[i]
    return {
        "time": window.end,
        "window_s": (window.end - window.start) // 1_000_000,
        "service": group.index.services[row],
        "kind": group.kind,
        "signal": group.index.signals[row],
        "score": float(hot.evidence[i]),
        "threshold": threshold,
        "expected": float(group.scores.expected[i]),
        "observed": float(group.observed[i]),
        "detector": group.detector,
        "explanation": group.explain(i),
        "incident_id": None,
    }


def _features(found: list[_Hot]) -> tuple[list[str], np.ndarray]:
    """Return (services, features): largest and mean surprise of each kind of signal, by service."""
    names = sorted({service for hot in found for service in hot.signals.index.services})
    place = {name: i for i, name in enumerate(names)}
    features = np.zeros((len(names), FEATURES))
    for k, kind in enumerate(_KINDS):
        groups = [hot.signals for hot in found if hot.signals.kind == kind]
        if not groups:
            continue
        owner = np.concatenate([np.array([place[s] for s in g.index.services], dtype=np.int64)[g.rows] for g in groups])
        score = np.minimum(np.nan_to_num(np.concatenate([g.scores.score for g in groups])), 12.0)
        order = np.lexsort((score, owner))
        owner, score = owner[order], score[order]
        np.maximum.at(features[:, 2 * k], owner, score)
        total = np.bincount(owner, weights=score, minlength=len(names))
        features[:, 2 * k + 1] = total / np.maximum(np.bincount(owner, minlength=len(names)), 1)
    return names, features
