"""Anomalous log sessions: precision, recall and F1 at a threshold that no label has touched.

Sessions stay in the order of their files. Where normal and anomalous sessions come mixed, the first half trains and the
second tests; where they come in two files, the first 70 % of the normal ones train, and all others test. Settings:
"clean training" leaves the anomalous sessions out of the training part, "4 % contaminated training" has as many of them
in it as make 4 %: those that were there in file order, else the first of the anomalous file, which then do not test.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks._figures import MEAN, Figure, Place
from benchmarks._methods import OURS, Method
from benchmarks._methods import methods as _methods
from benchmarks._plan import Measured, MethodFailed, Plan, Unit
from benchmarks.datasets import DataError, SessionSet, session_sets
from benchmarks.metrics import Classes, classes
from detection import SessionScores, score_sessions

FOLDERS = ("sessions",)
GROUP = "faultline.session_detectors"
CLEAN, CONTAMINATED = "clean training", "4 % contaminated training"
SHARE = 0.04
_NORMAL_PART = 0.7
_RESAMPLES = 2_000

Sessions = list[tuple[str, ...]]
Bools = npt.NDArray[np.bool_]


def faultline(train: Sessions, test: Sessions) -> tuple[Any, float]:
    """What `faultline detect-sessions` does: PyOD's KNN on event counts, rare training sessions left out, threshold
    from training scores (99.5 % quantile, cross-fitted)."""
    return _plain(score_sessions(train, test))


def unseen(train: Sessions, test: Sessions) -> tuple[Any, float]:
    """Unseen vector: a session is anomalous if its event counts as a whole never occurred in training."""
    return _plain(score_sessions(train, test, "unseen"))


def everything(train: Sessions, test: Sessions) -> tuple[Any, float]:
    """Every session is anomalous: what the mix of the data gives for nothing."""
    return np.ones(len(test)), 1.0


def _plain(found: SessionScores) -> tuple[Any, float]:
    return found.scores, found.threshold


def _all() -> dict[str, Method]:
    return _methods(GROUP, {OURS: faultline, "unseen vector": unseen, "everything": everything})


def methods() -> dict[str, str]:
    """Return what each method does."""
    return {name: method.text for name, method in _all().items()}


@dataclass(frozen=True)
class Split:
    """What a method learns from, and what it is judged on."""

    train: Sessions
    test: Sessions
    truth: Bools


@lru_cache(maxsize=1)
def _sets(data: Path) -> dict[str, SessionSet]:
    return {one.name: one for one in session_sets(data)}


def split(data: SessionSet, setting: str) -> Split:
    """Split a set by the order of its file. Raises DataError where a part has no normal or no anomalous session."""
    anomalous = data.anomalous
    paired = bool(anomalous.any()) and bool((np.diff(anomalous.astype(np.int8)) >= 0).all())
    trains = np.zeros(len(data), np.bool_)
    if paired:
        trains[: int(_NORMAL_PART * np.count_nonzero(~anomalous))] = True
    else:
        trains[: len(data) // 2] = True
    tests = ~trains
    normal, faulty = np.flatnonzero(trains & ~anomalous), np.flatnonzero(trains & anomalous)
    wanted = round(SHARE / (1 - SHARE) * len(normal)) if setting == CONTAMINATED else 0
    if wanted > len(faulty):
        more = np.flatnonzero(tests & anomalous)[: wanted - len(faulty)]
        tests[more] = False
        faulty = np.concatenate([faulty, more])
    learnt = np.sort(np.concatenate([normal, faulty[:wanted]]))
    truth = anomalous[tests]
    if not len(normal) or not truth.any() or truth.all():
        raise DataError(f"{data.name}: no normal or no anomalous session on one side of the split: truncated?")
    return Split([data.events[at] for at in learnt], [data.events[at] for at in np.flatnonzero(tests)], truth)


def units(plan: Plan) -> list[Unit]:
    """List the work: each set, setting and method."""
    found = _sets(plan.data)
    for one in found.values():
        split(one, CONTAMINATED)
    return [
        Unit("sessions", name, "", method, kind)
        for name in found
        for kind in (CLEAN, CONTAMINATED)
        for method in _all()
    ]


def measure(unit: Unit, plan: Plan) -> dict[str, Any]:
    """Train and test one method."""
    parts = split(_sets(plan.data)[unit.dataset], unit.setting)
    scores, threshold = _all()[unit.method](unit.label, parts.train, parts.test)
    if len(scores) != len(parts.test):
        raise MethodFailed(f"{unit.label}: {len(scores)} scores for {len(parts.test)} sessions")
    return vars(classes(parts.truth, np.asarray(scores) >= threshold))


def figures(found: Measured, plan: Plan) -> list[Figure]:
    """Return precision, recall and F1 of each set, and their means."""
    result: list[Figure] = []
    means: dict[tuple[str, str], dict[str, Classes]] = {}
    for unit, counts in found:
        place = Place("sessions", unit.dataset, unit.method, unit.setting, plan.seed)
        one = Classes(**counts)
        result += _figures(place, one)
        means.setdefault((unit.setting, unit.method), {})[unit.dataset] = one
    for (setting, method), sets in means.items():
        place = Place("sessions", MEAN, method, setting, plan.seed)
        for metric in ("precision", "recall", "f1"):
            result.append(place.mean(metric, {name: getattr(one, metric) for name, one in sets.items()}))
    return result


def _figures(place: Place, one: Classes) -> list[Figure]:
    """Sessions are the cases: drawing n of them with replacement is one draw of the four counts."""
    counts = np.array([one.tp, one.fp, one.fn, one.tn], np.float64)
    n = int(counts.sum())
    tp, fp, fn, _ = np.random.default_rng(place.seed).multinomial(n, counts / n, _RESAMPLES).T.astype(np.float64)
    drawn = {"precision": _share(tp, tp + fp), "recall": _share(tp, tp + fn), "f1": _share(2 * tp, 2 * tp + fp + fn)}
    return [
        place.one(name, getattr(one, name), n, *(float(edge) for edge in np.quantile(values, (0.025, 0.975))))
        for name, values in drawn.items()
    ]


def _share(part: Any, whole: Any) -> Any:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0.0)
