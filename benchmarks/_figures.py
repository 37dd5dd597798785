"""A figure of the report: one number with its interval, what it was measured on, and the cases it is made of."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.metrics import bootstrap, ratio_of_sums

MEAN = "mean"
"""Name of the data set under which the mean over data sets is given."""


@dataclass(frozen=True)
class Figure:
    """One row of results.json. `value` None: it could not be measured, `why` says what was missing.

    `cases`: case -> value, or -> [over, under] where the figure is `scale` x the ratio of their sums.
    """

    task: str
    dataset: str
    method: str
    setting: str
    metric: str
    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    why: str = ""
    cases: Mapping[str, float | Sequence[float]] = field(default_factory=dict)
    scale: float = 1.0

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What tells it from all others."""
        return self.task, self.dataset, self.method, self.setting, self.metric

    def row(self) -> dict[str, Any]:
        """Return the row of results.json."""
        names = ("task", "dataset", "method", "setting", "metric", "value", "n", "low", "high")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Place:
    """Where a figure belongs: everything of its key but the metric. `seed` is that of its bootstrap."""

    task: str
    dataset: str
    method: str
    setting: str
    seed: int

    def one(
        self, metric: str, value: float | None, n: int, low: float | None = None, high: float | None = None
    ) -> Figure:
        """Return a figure that was measured as it is. A value that is not finite was not measured."""
        known = value is not None and math.isfinite(value)
        return Figure(*self._key(metric), value if known else None, n, low, high)

    def left_out(self, count: int, of: int, why: str) -> Figure:
        """Return how many cases could not be measured, and why: n is never smaller without a word."""
        return Figure(*self._key("cases_not_measured"), float(count), of, why=f"{count} of {of} cases: {why}")

    def mean(self, metric: str, cases: Mapping[str, float]) -> Figure:
        """Return the mean over cases, NaN ones left out, with the bootstrap's interval where there are two or more."""
        known = {name: float(value) for name, value in sorted(cases.items()) if math.isfinite(value)}
        if not known:
            return self.missing(metric, "no case has a value")
        found = bootstrap(np.array(list(known.values())), seed=self.seed)
        return self._of_cases(metric, found, 1.0, known)

    def ratio(self, metric: str, cases: Mapping[str, Sequence[float]], scale: float = 1.0) -> Figure:
        """Return `scale` x the sum of the first over the sum of the second entries of the cases."""
        ordered = {name: [float(part) for part in parts] for name, parts in sorted(cases.items())}
        found = bootstrap(np.array(list(ordered.values())), ratio_of_sums, seed=self.seed)
        return self._of_cases(metric, found, scale, ordered)

    def missing(self, metric: str, why: str) -> Figure:
        """Return a figure that cannot be measured."""
        return Figure(*self._key(metric), None, 0, why=why)

    def _key(self, metric: str) -> tuple[str, str, str, str, str]:
        return self.task, self.dataset, self.method, self.setting, metric

    def _of_cases(self, metric: str, found: Mapping[str, Any], scale: float, cases: Mapping[str, Any]) -> Figure:
        value, low, high = (found[name] * scale for name in ("value", "low", "high"))
        wide = found["n"] > 1
        low, high = (low, high) if wide else (None, None)
        return Figure(*self._key(metric), value, found["n"], low, high, cases=cases, scale=scale)
