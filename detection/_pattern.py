"""Unusual courses of a service: k-nearest-neighbour distance (PyOD) of its last windows of features.

The features of a service and window are the surprise of its metrics, logs and spans; a vector holds the last
`LENGTH` windows. The model is refitted at whole multiples of the refit interval in event time, on vectors kept
before it from calm stretches only, so that what it says of a window depends on earlier windows alone.
"""

from typing import Any

import numpy as np

from detection._columns import Columns
from detection._index import SeriesIndex
from detection._scorer import MetricScorer
from detection._scores import Scores
from detection._signals import Signals, number
from detection._state import Arrays, prefixed, under

LENGTH = 12
FEATURES = 6
_CLIP = 6.0  # decades: one wild signal must not hide how the others move
_STRIDE = 6  # windows between two vectors of a service that are kept for training
_CAPACITY = 600  # vectors kept; the oldest go first
_LEAST = 100  # vectors before the first fit
_NEIGHBOURS = 5


def load_models() -> Any:
    """Load what models are made of, a hundred megabytes, and return PyOD's k-nearest-neighbour model."""
    from pyod.models.knn import KNN

    return KNN


class PatternSignals:
    """Feature history of every service and the model over all of them."""

    def __init__(self, limit: int, refit_us: int) -> None:
        self.index = SeriesIndex(limit)
        self._refit_us = refit_us
        self._history = Columns({"features": 0.0, "windows": 0.0, "calm": 0.0}, {"features": LENGTH * FEATURES})
        self._distance = MetricScorer()
        self._kept = np.empty((0, LENGTH * FEATURES))
        self._training = np.empty((0, LENGTH * FEATURES))  # what the model in use was fitted on
        self._epoch = -1
        self._model: Any = None

    def observe(self, end_us: int, services: list[str], keys: np.ndarray, features: np.ndarray) -> list[Signals]:
        """Score one feature row (n, FEATURES) a service, then keep it. `end_us` is the window's end."""
        if not len(services):
            return []
        rows = self.index.rows(keys, lambda i: (services[i], "pattern"))
        use = rows >= 0
        rows, features = rows[use], features[use]
        self._history.grow(len(self.index))
        vectors = np.roll(self._history["features"][rows], FEATURES, axis=1)
        vectors[:, :FEATURES] = np.clip(features, 0.0, _CLIP)
        self._history["features"][rows] = vectors
        self._history["windows"][rows] += 1.0
        self._refit(end_us)
        full = self._history["windows"][rows] >= LENGTH
        if self._model is None or not full.any():
            return []
        return [self._score(rows[full], vectors[full])]

    def _refit(self, end_us: int) -> None:
        epoch = end_us // self._refit_us
        if epoch != self._epoch and len(self._kept) >= _LEAST:
            self._epoch = epoch
            self._training = self._kept.copy()
            self._fit()

    def _fit(self) -> None:
        self._model = load_models()(n_neighbors=_NEIGHBOURS, method="mean").fit(self._training)

    def _score(self, rows: np.ndarray, vectors: np.ndarray) -> Signals:
        order = np.argsort(rows)
        rows, vectors = rows[order], vectors[order]
        distance = self._model.decision_function(vectors)
        scores = self._distance.update(rows, distance)
        score = np.where(distance > scores.expected, scores.score, 0.0)
        scores = Scores(score, scores.expected, scores.band, scores.shift, scores.warm)

        def explain(i: int) -> str:
            head = f"course of {self.index.services[rows[i]]} is {number(distance[i])} from any seen before"
            return f"{head}, expected {number(scores.expected[i])} ± {number(scores.band[i])}"

        return Signals("pattern", "metric", "pyod_knn", self.index, rows, scores, distance, explain)

    def keep(self, end_us: int, window_us: int, flagged: set[str]) -> None:
        """Keep vectors of services that were calm for their whole length; `flagged` had anomalies in this window."""
        calm = self._history["calm"]
        calm += 1.0
        calm[[i for i, service in enumerate(self.index.services) if service in flagged]] = 0.0
        if (end_us // window_us) % _STRIDE:
            return
        rows = np.flatnonzero((calm > LENGTH) & (self._history["windows"] >= LENGTH))
        if len(rows):
            ordered = rows[np.argsort([self.index.services[row] for row in rows])]
            self._kept = np.concatenate([self._kept, self._history["features"][ordered]])[-_CAPACITY:]

    def meta(self) -> dict[str, object]:
        """Return the names for a snapshot."""
        return {"index": self.index.meta(), "epoch": self._epoch, "fitted": self._model is not None}

    def arrays(self) -> Arrays:
        """Return the state."""
        return {
            **prefixed("index", self.index.arrays()),
            **prefixed("history", self._history.arrays()),
            **prefixed("distance", self._distance.arrays()),
            "kept": self._kept,
            "training": self._training,
        }

    def load(self, meta: dict[str, dict[str, list[str]]], arrays: Arrays) -> None:
        """Take over a state; the model is fitted again on the vectors it was fitted on."""
        self.index.load(meta["index"], under("index", arrays))
        self._history.load(under("history", arrays))
        self._distance.load(under("distance", arrays))
        self._kept, self._training = arrays["kept"], arrays["training"]
        self._epoch = int(meta["epoch"])  # type: ignore[call-overload]
        if meta["fitted"]:
            self._fit()
