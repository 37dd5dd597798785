"""Anomaly detection in metric series: NAB score, VUS-PR, PATE, event F1, and alerts a series-day.

A method gets one series, without its name, windows or length of a day, and returns a score a point and its threshold.
NAB: three profiles, each at the threshold that is best for the whole corpus, as NAB has it; of the scores as they are,
and with a refractory period: a score counts only where it is higher than all 100 before it, which a method that warns
once an event does not mind. VUS-PR (buffers up to 100 points), PATE (buffers of 100 points) and event F1 are means over
the series with windows, of the points after NAB's probation (15 %, at most 750). Event F1 at the method's own
threshold and at the best one a series ("oracle"). Alerts a series-day: alerts less than 30 minutes apart are one, in
what is not labelled; windows found: share of windows with an alert, at the same threshold. Quote both or neither.
"""

import csv
from functools import lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks._figures import MEAN, Figure, Place
from benchmarks._methods import OURS, Method
from benchmarks._methods import methods as _methods
from benchmarks._plan import Measured, MethodFailed, Plan, Unit
from benchmarks.baselines import series as baselines
from benchmarks.datasets import DataError, MetricSeries, metric_series
from benchmarks.metrics import (
    NAB_PROFILES,
    NabSeries,
    best_event_score,
    count_alerts,
    event_score,
    nab,
    pate,
    probation_length,
    vus_pr,
    window_mask,
)

FOLDERS = ("nab", "data", "labels", "results")  # the last three: where the data folder is a copy of NAB's repository
GROUP = "faultline.detectors"
REFRACTORY = 100
PUBLISHED = "published: "
PLAIN, QUIET = "as scored", f"refractory {REFRACTORY} points"
_METRICS = ("vus_pr", "pate", "event_f1", "event_f1_oracle")

Floats = npt.NDArray[np.float64]


def faultline(values: Floats, seed: int) -> baselines.Scored:
    """What `faultline detect` does: the live scorer, point by point, alert from 5 decades of improbability on."""
    from detection import DETECT_THRESHOLD, score_matrix

    return score_matrix(values[:, None])[:, 0], DETECT_THRESHOLD


def _all() -> dict[str, Method]:
    own = {
        OURS: faultline,
        "PyOD KNN": baselines.knn,
        "N-sigma": baselines.nsigma,
        "EWMA": baselines.ewma,
        "random": baselines.random,
        "constant": baselines.constant,
    }
    return _methods(GROUP, own)


def methods() -> dict[str, str]:
    """Return what each method does."""
    found = {name: method.text for name, method in _all().items()}
    return found | {f"{PUBLISHED}...": "Score files of the NAB repository, nab/results/<detector>/, re-scored here."}


@lru_cache(maxsize=1)
def _series(data: Path) -> dict[str, MetricSeries]:
    return {one.name: one for one in metric_series(data)}


def _results(data: Path) -> Path:
    return (data / "nab" if (data / "nab").is_dir() else data) / "results"


def _published(data: Path) -> list[str]:
    folder = _results(data)
    return sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []


def units(plan: Plan) -> list[Unit]:
    """List the work: each series and method."""
    names = [*_all(), *(PUBLISHED + one for one in _published(plan.data))]
    return [Unit("detection", "nab", series, name) for name in names for series in _series(plan.data)]


def measure(unit: Unit, plan: Plan) -> dict[str, Any]:
    """Score one series with one method, and measure all that needs no other series."""
    one = _series(plan.data)[unit.case]
    seed = crc32(f"{plan.seed} {unit.case}".encode())
    if unit.method.startswith(PUBLISHED):
        scores, threshold = _read_scores(plan.data, unit.method.removeprefix(PUBLISHED), one), None
    else:
        scores, threshold = _all()[unit.method](unit.label, one.values.copy(), seed)
        if np.shape(scores) != one.values.shape:
            raise MethodFailed(f"{unit.label}: {np.shape(scores)} scores for {len(one.values)} points")
    scores = np.asarray(scores, np.float64)
    index = _indices(one)
    since = probation_length(len(scores))
    labels = window_mask(len(scores), index)
    found: dict[str, Any] = {"scores": scores, "windows": index, "vus_pr": None, "pate": None}
    truth, counted = labels[since:], scores[since:]
    if truth.any():
        found |= {"vus_pr": vus_pr(truth, counted), "pate": pate(truth, counted, seed=seed)}
        found["event_f1_oracle"] = best_event_score(truth, counted)[0].f1
    if threshold is not None:
        flagged = np.nan_to_num(scores, nan=-np.inf) >= threshold
        found |= _alerts(one, flagged, labels, index, since)
    return found


def _alerts(one: MetricSeries, flagged: Any, labels: Any, index: Any, since: int) -> dict[str, Any]:
    late = np.arange(len(flagged)) >= since
    alarms = flagged & late
    order = np.argsort(one.times, kind="stable")  # clocks were set back in some series
    count = count_alerts(one.times[order].astype("datetime64[us]"), alarms[order], (late & ~labels)[order])
    windows = [(first, last) for first, last in index if last >= since]
    hits = sum(bool(alarms[first : last + 1].any()) for first, last in windows)
    found: dict[str, Any] = {"alerts": [count.alerts, count.days], "hits": [hits, len(windows)]}
    if labels[since:].any():
        found["event_f1"] = event_score(labels[since:], alarms[since:]).f1
    return found


def _indices(one: MetricSeries) -> npt.NDArray[np.int64]:
    """Return (w, 2) first and last index of the windows; where a time occurs twice, its first occurrence."""
    first = {int(time): at for at, time in reversed(list(enumerate(one.times)))}
    return np.array([[first[start], first[end]] for start, end in one.windows], np.int64).reshape(-1, 2)


def _read_scores(data: Path, detector: str, one: MetricSeries) -> Floats:
    family, _, name = one.name.partition("/")
    path = _results(data) / detector / family / f"{detector}_{name}"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            scores = [float(row["anomaly_score"]) for row in csv.DictReader(file)]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: no column anomaly_score that can be read: {type(error).__name__}: {error}") from None
    if len(scores) != len(one.values):
        raise DataError(f"{path}: {len(scores)} scores for the {len(one.values)} points of {one.name}: truncated")
    return np.array(scores)


def figures(found: Measured, plan: Plan) -> list[Figure]:
    """Return the figures of the corpus, under "mean", and VUS-PR and PATE of each series."""
    result: list[Figure] = []
    for method in dict.fromkeys(unit.method for unit, _ in found):
        series = {unit.case: one for unit, one in found if unit.method == method}
        place = Place("detection", MEAN, method, PLAIN, plan.seed)
        result += _nab(place, series, quiet=False)
        for metric in _METRICS:
            values = {name: one[metric] for name, one in series.items() if one.get(metric) is not None}
            if values:
                result.append(place.mean(metric, values))
        result += _rates(place, series)
        result += _nab(Place("detection", MEAN, method, QUIET, plan.seed), series, quiet=True)
        for name, one in series.items():
            alone = Place("detection", name, method, PLAIN, plan.seed)
            result += [alone.one(m, one[m], len(one["scores"])) for m in ("vus_pr", "pate") if one[m] is not None]
    return result


def _rates(place: Place, series: dict[str, Any]) -> list[Figure]:
    known = {name: one for name, one in series.items() if "alerts" in one}
    if not known:
        return []
    rate = place.ratio("alerts_per_series_day", {name: one["alerts"] for name, one in known.items()})
    share = place.ratio("windows_found", {name: one["hits"] for name, one in known.items()})
    return [rate, share]


def _nab(place: Place, series: dict[str, Any], quiet: bool) -> list[Figure]:
    names = list(series)
    arrays = [np.array(series[name]["scores"], np.float64) for name in names]
    scored = [_once(one) if quiet else one for one in arrays]
    corpus = [NabSeries(one, series[name]["windows"]) for name, one in zip(names, scored, strict=True)]
    result = []
    for profile, weights in NAB_PROFILES.items():
        parts = nab(corpus, weights).parts
        result.append(place.ratio(f"nab_{profile}", dict(zip(names, parts.tolist(), strict=True)), scale=100.0))
    return result


def _once(scores: Floats) -> Floats:
    """Return the scores that are higher than all of the last REFRACTORY before them; -inf instead of the others."""
    filled = np.where(np.isnan(scores), -np.inf, scores)
    before = sliding_window_view(np.concatenate((np.full(REFRACTORY, -np.inf), filled[:-1])), REFRACTORY).max(axis=1)
    return np.where(filled > before, filled, -np.inf)
