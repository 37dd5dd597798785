"""Log signals of a window: rates of templates, bursts of errors, templates never seen before."""

import numpy as np
import pyarrow as pa

from detection._columns import Columns
from detection._counts import CountScorer
from detection._index import SeriesIndex, mix, text_keys
from detection._scores import WARM_UP, Scores
from detection._signals import Signals, group_sum, number
from detection._state import Arrays, prefixed, under
from telemetry import ERROR_SEVERITY, format_id

_WARN_SEVERITY = 13
_NEWS_MEMORY = 360.0  # windows over which a service's rate of new templates is known
# A template nobody has seen says more the worse its severity: (bonus, most it can say), in decades.
_NEWS_WEIGHT = {"info": (0.0, 2.0), "warn": (0.5, 3.0), "error": (2.0, 6.0)}


class LogSignals:
    """Follows every (service, template) and every service that logs."""

    def __init__(self, limit: int) -> None:
        self.index = SeriesIndex(limit)
        self._rates = CountScorer()
        self._services = SeriesIndex(limit)
        self._errors = CountScorer()
        self._news = Columns({"windows": 0.0, "hits": 0.0})

    def observe(self, logs: pa.Table) -> list[Signals]:
        """Score one WINDOW_LOGS table (it may be empty: silence is counted too), then learn it."""
        known = len(self.index)
        service, names, keys = text_keys(logs["service"])
        template = logs["template_id"].to_numpy()
        severity = logs["severity_number"].fill_null(0).to_numpy(zero_copy_only=False)
        counts = logs["count"].to_numpy()
        numbers = self._services.rows(keys, lambda i: (names[i], "error_logs"))
        rows = self.index.rows(
            mix(keys[service], template.view(np.uint64)), lambda i: (names[service[i]], format_id(int(template[i])))
        )
        where = numbers[service]
        errors = self._burst(where, np.where(severity >= ERROR_SEVERITY, counts, 0))
        fresh = rows >= known
        news = self._new(where[fresh], rows[fresh], severity[fresh], counts[fresh])
        rates = self._rate(rows, counts, where, severity, known)
        return [rates, errors, news]

    def _rate(
        self, rows: np.ndarray, counts: np.ndarray, where: np.ndarray, severity: np.ndarray, known: int
    ) -> Signals:
        size = len(self.index)
        age = np.zeros(size)
        loud = (rows >= 0) & (severity >= ERROR_SEVERITY)
        # A new error template was silent for as long as its service has been watched; other new templates come with
        # every deploy and first get to know their rate.
        age[rows[loud]] = self._news["windows"][where[loud]] - 1.0
        self._rates.grow(size, age[known:])
        observed = group_sum(rows[rows >= 0], size, counts[rows >= 0])
        scores = self._rates.update(np.arange(size), observed, np.ones(size))

        def explain(i: int) -> str:
            text = f"template {self.index.signals[i]} of {self.index.services[i]}"
            expected = f"{number(scores.expected[i])} ± {number(scores.band[i])}"
            return f"{text}: {number(observed[i])} records, expected {expected}"

        return Signals("template", "log", "count_rate", self.index, np.arange(size), scores, observed, explain)

    def _burst(self, where: np.ndarray, errors: np.ndarray) -> Signals:
        size = len(self._services)
        self._errors.grow(size)
        seen = where >= 0
        observed = group_sum(where[seen], size, errors[seen])
        scores = self._errors.update(np.arange(size), observed, np.ones(size))

        def explain(i: int) -> str:
            expected = number(scores.expected[i])
            return f"{self._services.services[i]} logged {number(observed[i])} errors, expected {expected}"

        return Signals("errors", "log", "error_burst", self._services, np.arange(size), scores, observed, explain)

    def _new(self, where: np.ndarray, rows: np.ndarray, severity: np.ndarray, counts: np.ndarray) -> Signals:
        """One entry a service with new templates: its worst one stands for all (a deploy brings many at once)."""
        self._news.grow(len(self._services))
        windows, hits = self._news["windows"], self._news["hits"]
        improbable = -np.log10((hits + 0.5) / (windows + 1.0))
        order = sorted(range(len(rows)), key=lambda i: (-severity[i], -counts[i], self.index.signals[rows[i]]))
        worst: dict[int, int] = {}
        for i in order:
            if where[i] >= 0:
                worst.setdefault(int(where[i]), i)
        found = sorted(worst)
        score = np.array([_news_score(float(improbable[s]), int(severity[worst[s]])) for s in found])
        warm = np.array([windows[s] >= WARM_UP for s in found], dtype=bool)
        howmany = np.array([len(np.unique(rows[where == s])) for s in found], dtype=np.float64)
        hit = np.zeros(len(self._services))
        hit[found] = 1.0
        keep = 1.0 - 1.0 / _NEWS_MEMORY
        hits[:] = keep * hits + hit
        windows[:] = np.minimum(windows + 1.0, _NEWS_MEMORY)
        first = np.array([rows[worst[s]] for s in found], dtype=np.int64)
        scores = Scores(
            np.where(warm, score, 0.0), np.zeros(len(found)), np.zeros(len(found)), np.zeros(len(found)), warm
        )

        def explain(i: int) -> str:
            row = first[i]
            worst = self.index.signals[row]
            return f"{self.index.services[row]} logged {number(howmany[i])} new template(s), the worst is {worst}"

        return Signals("new", "log", "new_template", self.index, first, scores, howmany, explain)

    def meta(self) -> dict[str, object]:
        """Return the names for a snapshot."""
        return {"index": self.index.meta(), "services": self._services.meta()}

    def arrays(self) -> Arrays:
        """Return the state."""
        return {
            **prefixed("index", self.index.arrays()),
            **prefixed("services", self._services.arrays()),
            **prefixed("rates", self._rates.arrays()),
            **prefixed("errors", self._errors.arrays()),
            **prefixed("news", self._news.arrays()),
        }

    def load(self, meta: dict[str, dict[str, list[str]]], arrays: Arrays) -> None:
        """Take over a state."""
        self.index.load(meta["index"], under("index", arrays))
        self._services.load(meta["services"], under("services", arrays))
        self._rates.load(under("rates", arrays))
        self._errors.load(under("errors", arrays))
        self._news.load(under("news", arrays))


def _news_score(improbable: float, severity: int) -> float:
    level = "error" if severity >= ERROR_SEVERITY else "warn" if severity >= _WARN_SEVERITY else "info"
    bonus, most = _NEWS_WEIGHT[level]
    return min(improbable + bonus, most)
