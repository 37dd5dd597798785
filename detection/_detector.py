"""The live detector: windows of telemetry in, anomalies out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from detection._columns import Columns
from detection._combined import COMBINED, KINDS, Combined, features
from detection._index import text_key
from detection._logs import LogSignals
from detection._metrics import MetricSignals
from detection._pattern import PatternSignals
from detection._settings import DetectorSettings
from detection._signals import Signals
from detection._spans import SpanSignals
from detection._state import Arrays, pack, prefixed, under, unpack
from telemetry import ANOMALIES, CorruptState, Window

FORMAT_VERSION = 1

_DECAY = 0.5  # of a signal's evidence, from one window to the next
_NORMAL = 1.0  # decades that a signal may show in any window without being evidence
_PRESENT = 1.5  # decades a signal must show in this very window to be reported as sudden, _NORMAL as lasting
_GROUPS = ("metric", "points", "template", "errors", "new", "latency", "failures", "pattern")


@dataclass(frozen=True)
class _Group:
    """Signals with the number of the service each belongs to and the evidence it has gathered."""

    signals: Signals
    owners: np.ndarray
    evidence: np.ndarray

    @property
    def cells(self) -> np.ndarray:
        """Service and kind of each signal as one number."""
        return self.owners * len(KINDS) + KINDS.index(self.signals.kind)


class Detector:
    """Scores all signals of each window and reports those that stand out in services that stand out.

    A signal has sudden evidence (what it showed beyond normal in this window plus half of what it had before) and
    lasting evidence (its mean deviation over about two minutes). Both add up to the evidence of its service.
    """

    def __init__(self, settings: DetectorSettings | None = None) -> None:
        self.settings = settings or DetectorSettings()
        limit = self.settings.max_series
        self._metrics = MetricSignals(limit)
        self._logs = LogSignals(limit)
        self._spans = SpanSignals(limit)
        self._pattern = PatternSignals(limit, self.settings.pattern_refit_s * 1_000_000)
        self._evidence = {name: Columns({"evidence": 0.0, "window": -1.0}) for name in _GROUPS}
        self._combined = Combined()
        self._services: dict[str, int] = {}
        self._owners = {name: np.empty(0, dtype=np.int64) for name in _GROUPS}

    def update(self, window: Window) -> pa.Table:
        """Score one window, learn it, and return its anomalies (ANOMALIES, ordered by service, kind, signal).

        Windows come in order of time; a window may be missing. The order of rows inside a window has no effect.
        """
        width = max(window.end - window.start, 1)
        number = window.end // width
        signals = [*self._metrics.observe(window.metrics), *self._logs.observe(window.logs)]
        signals += self._spans.observe(window.spans)
        groups = [self._gather(group, number) for group in signals]
        patterns = [self._gather(group, number) for group in self._patterns(window.end, groups)]
        combined = self._combine(number, groups, patterns)
        rows = self._report(window, groups + patterns, combined)
        self._pattern.keep(window.end, width, {row["service"] for row in rows})
        return pa.Table.from_pylist(rows, schema=ANOMALIES)

    def _gather(self, group: Signals, number: int) -> _Group:
        """Find whom the signals belong to and add what they show to their evidence."""
        columns = self._evidence[group.name]
        columns.grow(len(group.index))
        before, since = columns["evidence"][group.rows], number - columns["window"][group.rows]
        now = np.maximum(np.nan_to_num(group.scores.score) - _NORMAL, 0.0)
        evidence = before * _DECAY ** np.minimum(since, 60.0) + now
        columns["evidence"][group.rows] = evidence
        columns["window"][group.rows] = number
        return _Group(group, self._owner(group)[group.rows], evidence)

    def _owner(self, group: Signals) -> np.ndarray:
        """Return the number of the service of each series of a group's index."""
        known = self._owners[group.name]
        fresh = group.index.services[len(known) :]
        if fresh:
            numbers = [self._services.setdefault(name, len(self._services)) for name in fresh]
            known = self._owners[group.name] = np.append(known, np.array(numbers, dtype=np.int64))
        return known

    def _patterns(self, end: int, groups: list[_Group]) -> list[Signals]:
        if not (self.settings.pattern and groups):
            return []
        cells = np.concatenate([group.cells for group in groups])
        score = np.nan_to_num(np.concatenate([group.signals.scores.score for group in groups]))
        names = list(self._services)
        keys = np.array([text_key(name) for name in names], dtype=np.uint64)
        return self._pattern.observe(end, names, keys, features(cells, score, len(names)))

    def _combine(self, number: int, groups: list[_Group], patterns: list[_Group]) -> np.ndarray:
        """Return the evidence of each service; an unusual course counts as a lasting deviation only."""
        every = [*groups, *patterns]
        if not every:
            return np.zeros(len(self._services))
        cells = np.concatenate([group.cells for group in every])
        score = [group.signals.scores.score for group in groups] + [np.zeros(len(group.owners)) for group in patterns]
        shift = [group.signals.scores.shift for group in every]
        sudden, lasting = np.nan_to_num(np.concatenate(score)), np.nan_to_num(np.concatenate(shift))
        return self._combined.update(number, cells, sudden, lasting, len(self._services))

    def _report(self, window: Window, groups: list[_Group], combined: np.ndarray) -> list[dict[str, Any]]:
        rows = [row for group in groups for row in self._signal_rows(window, group, combined)]
        names = list(self._services)
        present = sorted({row["service"] for row in rows})
        for service in present:
            evidence = float(combined[self._services[service]])
            if evidence >= self.settings.service:
                own = [row for row in rows if row["service"] == service]
                rows.append(_combined_row(window, service, evidence, self.settings.service, own))
        assert len(names) == len(combined)
        return sorted(rows, key=lambda row: (row["service"], row["kind"], row["signal"], row["detector"]))

    def _signal_rows(self, window: Window, group: _Group, combined: np.ndarray) -> list[dict[str, Any]]:
        """Return the signals with enough evidence; the bar is lower in a service with enough evidence."""
        settings, scores = self.settings, group.signals.scores
        backed = combined[group.owners] >= settings.service
        bar = np.where(backed, settings.corroborated, settings.alone)
        sudden = (scores.score >= _PRESENT) & (group.evidence >= bar)
        lasting = backed & (scores.score >= _NORMAL) & (scores.shift >= settings.lasting) & ~sudden
        rows = [_row(window, group.signals, int(i), group.evidence[i], bar[i]) for i in np.flatnonzero(sudden)]
        for i in np.flatnonzero(lasting).tolist():
            row = _row(window, group.signals, i, scores.shift[i], settings.lasting)
            rows.append({**row, "detector": "lasting_shift", "explanation": f"{row['explanation']}, for a while now"})
        return rows

    @property
    def refused(self) -> int:
        """Series seen for the first time after the limit was reached, and so not scored."""
        return self._metrics.index.refused + self._logs.index.refused + self._spans.refused

    def snapshot(self) -> bytes:
        """Return the whole state; `restore` continues from it bit for bit."""
        parts = self._parts()
        arrays: Arrays = prefixed("combined", self._combined.arrays())
        for name, part in parts.items():
            arrays |= prefixed(name, part.arrays())
        for name, columns in self._evidence.items():
            arrays |= prefixed(f"evidence/{name}", columns.arrays())
        meta = {name: part.meta() for name, part in parts.items()}
        return pack({"version": FORMAT_VERSION, "services": list(self._services), **meta}, arrays)

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
        detector._combined.load(under("combined", arrays))
        detector._services = {name: number for number, name in enumerate(meta["services"])}
        return detector

    def _parts(self) -> dict[str, MetricSignals | LogSignals | SpanSignals | PatternSignals]:
        return {"metrics": self._metrics, "logs": self._logs, "spans": self._spans, "pattern": self._pattern}


def _row(window: Window, group: Signals, i: int, score: float, threshold: float) -> dict[str, Any]:
    row = group.rows[i]
    return {
        "time": window.end,
        "window_s": (window.end - window.start) // 1_000_000,
        "service": group.index.services[row],
        "kind": group.kind,
        "signal": group.index.signals[row],
        "score": float(score),
        "threshold": float(threshold),
        "expected": float(group.scores.expected[i]),
        "observed": float(group.observed[i]),
        "detector": group.detector,
        "explanation": group.explain(i),
        "incident_id": None,
    }


def _combined_row(
    window: Window, service: str, evidence: float, threshold: float, rows: list[dict[str, Any]]
) -> dict[str, Any]:
    strongest = sorted(rows, key=lambda row: (-row["score"], row["signal"]))
    named = list(dict.fromkeys(row["signal"] for row in strongest))[:3]
    return {
        **rows[0],
        "kind": strongest[0]["kind"],
        "signal": "combined",
        "score": evidence,
        "threshold": threshold,
        "expected": None,
        "observed": None,
        "detector": COMBINED,
        "explanation": f"{len(rows)} signal(s) of {service} stand out together, strongest {', '.join(named)}",
    }
