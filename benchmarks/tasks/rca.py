"""Root cause ranking of recorded failures: AC@1, AC@3, AC@5 and Avg@5 of services and of signals, seconds a case.

Settings: the onset is given exactly, 30 s or one row late (whichever is longer), 60 s or two rows late, or not at all.
With an onset, methods get the recording up to 5 minutes or 5 rows after it, as `faultline rca --at` does; what came
before holds earlier faults, as it would in production. Without one they get the 30 minutes before the failure and what
follows up to the same end, less the rows of earlier faults, which would be right answers too.

No column of labels is seen, two recordings put together follow each other without a gap, series come in random order,
and equal scores are ordered at random, by a seed of the case. What is no service (a shop's front door) is not ranked.
"""

import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
import pyarrow as pa

from benchmarks._figures import MEAN, Figure, Place
from benchmarks._methods import OURS, Method
from benchmarks._methods import methods as _methods
from benchmarks._plan import Measured, Plan, Unit
from benchmarks.baselines import ranking
from benchmarks.datasets import RcaCase, rca_cases, read_recording
from benchmarks.metrics import ac_at, avg_at, by_service, true_ranks

if TYPE_CHECKING:
    from rca import Evidence

FOLDERS = ("rca",)
GROUP = "faultline.rankers"
EXACT, UNKNOWN = "onset exact", "onset unknown"
LATE = {"onset late by max(30 s, 1 row)": (30, 1), "onset late by max(60 s, 2 rows)": (60, 2)}
SETTINGS = (EXACT, *LATE, UNKNOWN)
METRICS = ("ac@1", "ac@3", "ac@5", "avg@5")
HISTORY_US = 30 * 60 * 1_000_000
_SECOND = 1_000_000
_NOT_FOUND = 1e9  # rank of a cause that was not ranked; JSON has no infinity


def faultline(evidence: "Evidence") -> ranking.Ranking:
    """What `faultline rca` does, method "default", on metrics, logs, spans and calls where the case has them."""
    from rca import diagnose

    return [(one.service, one.signal, one.score) for one in diagnose(evidence).suspects]


def _all() -> dict[str, Method]:
    own = {
        OURS: faultline,
        "BARO": ranking.baro,
        "BARO-style robust": ranking.robust,
        "N-sigma": ranking.nsigma,
        "Granger + PageRank": ranking.granger_pagerank,
        "random": ranking.random,
    }
    return _methods(GROUP, own)


def methods() -> dict[str, str]:
    """Return what each method does."""
    return {name: method.text for name, method in _all().items()}


@lru_cache(maxsize=1)
def _cases(data: Path) -> dict[tuple[str, str], RcaCase]:
    return {(case.part, case.name): case for case in rca_cases(data)}


def units(plan: Plan) -> list[Unit]:
    """List the work: each case with all methods, which share the evidence."""
    names = "+".join(_all())
    return [Unit("rca", part, name, "", names) for part, name in _cases(plan.data)]


def measure(unit: Unit, plan: Plan) -> dict[str, Any]:
    """Rank one case with every method in every setting; settings that cannot be measured map to the reason."""
    case = _cases(plan.data)[unit.dataset, unit.case]
    seed = crc32(f"{plan.seed} {unit.dataset} {unit.case}".encode())
    found: dict[str, Any] = {}
    for setting in SETTINGS:
        began = time.perf_counter()
        evidence = _evidence(case, setting, seed)
        took = time.perf_counter() - began
        if isinstance(evidence, str):
            found[setting] = evidence
            continue
        found[setting] = {name: _rank(method, case, evidence, seed, unit.label) for name, method in _all().items()}
        found[setting][OURS]["evidence_seconds"] = took
    return found


def _rank(method: Method, case: RcaCase, evidence: "Evidence", seed: int, where: str) -> dict[str, Any]:
    began = time.perf_counter()
    rows = method(where, evidence)
    seconds = time.perf_counter() - began
    rows = [row for row in rows if row[0] not in case.not_services]
    names, scores = by_service([row[0] for row in rows], [row[2] for row in rows])
    rank: dict[str, Any] = {"service": _place(names, scores, case.service, seed), "seconds": seconds}
    if case.signal is not None:
        signals = {f"{service}|{signal}": score for service, signal, score in rows if signal is not None}
        truth = f"{case.service}|{case.signal}"
        rank["signal"] = _place(list(signals), np.array(list(signals.values())), truth, seed)
    return rank


def _place(names: list[str], scores: Any, truth: str, seed: int) -> float:
    return min(float(true_ranks(names, scores, [truth], seed)[0]), _NOT_FOUND)


def _evidence(case: RcaCase, setting: str, seed: int) -> "Evidence | str":
    """Return what methods get to see, or why the setting cannot be measured."""
    from faultline.case import evidence_of
    from parsing import ParserSettings

    if setting != UNKNOWN and case.onset is None:
        return "the source does not know when the failure began"
    recording = read_recording(case, masked=setting == UNKNOWN)
    times = np.unique(recording.case.metrics["time"].cast(pa.int64()).to_numpy())
    begins_failed = case.onset is not None and case.onset <= times[0]
    if begins_failed and setting == UNKNOWN:
        return "the recording begins with the failure: there is no onset to find"
    if begins_failed and recording.normal is None:
        return "no row before the onset, and no table of normal operation"
    at, until, found = case.onset, None, recording.case
    if setting == UNKNOWN:
        at, until = None, _end(times, case.onset)
        if case.onset is not None:
            since = case.onset - HISTORY_US
            found = replace(
                found,
                metrics=_since(found.metrics, since),
                lines=_since(found.lines, since),
                spans=_since(found.spans, since),
            )
    elif setting in LATE:
        assert case.onset is not None
        seconds, rows = LATE[setting]
        at = case.onset + max(seconds * _SECOND, rows * int(np.median(np.diff(times))))
    evidence = evidence_of(found, ParserSettings(), at=at, until=until, normal=recording.normal, graph=recording.graph)
    return replace(evidence, metrics=_shuffled(evidence.metrics, seed))


def _end(times: Any, onset: int | None) -> int:
    """Return where the evidence ends with an exact onset: 5 minutes or 5 rows after it."""
    if onset is None:
        return int(times[-1])
    after = times[times > onset][:5]
    return max(onset + 300 * _SECOND, int(after[-1]) if len(after) else onset)


def _since(table: pa.Table, since: int) -> pa.Table:
    if not len(table):
        return table
    times = table["time"].cast(pa.int64())
    keep = np.asarray(times.fill_null(since).to_numpy()) >= since
    return table.filter(pa.array(keep))


def _shuffled(table: pa.Table, seed: int) -> pa.Table:
    return table.take(pa.array(np.random.default_rng(seed).permutation(len(table))))


def figures(found: Measured, plan: Plan) -> list[Figure]:
    """Return the figures of each set, setting and method, and the mean over the sets on which a setting is measured."""
    result = _by_set(found, plan)
    means: dict[tuple[str, str, str], dict[str, float]] = {}
    for one in result:
        if one.value is not None and one.metric != "cases_not_measured":
            means.setdefault((one.setting, one.method, one.metric), {})[one.dataset] = one.value
    for (setting, method, metric), sets in sorted(means.items(), key=lambda one: SETTINGS.index(one[0][0])):
        result.append(Place("rca", MEAN, method, setting, plan.seed).mean(metric, sets))
    return result


def _by_set(found: Measured, plan: Plan) -> list[Figure]:
    result: list[Figure] = []
    for part in dict.fromkeys(unit.dataset for unit, _ in found):
        cases = {unit.case: measured for unit, measured in found if unit.dataset == part}
        for setting in SETTINGS:
            for method in _all():
                place = Place("rca", part, method, setting, plan.seed)
                result += _of_method(place, cases)
    return result


def _of_method(place: Place, cases: dict[str, Any]) -> list[Figure]:
    here = {name: one[place.setting] for name, one in cases.items()}
    known = {name: one[place.method] for name, one in here.items() if not isinstance(one, str)}
    why = "; ".join(sorted({one for one in here.values() if isinstance(one, str)}))
    if not known:
        return [place.missing(f"service_{metric}", why) for metric in METRICS]
    result = _levels(place, "service", {name: one["service"] for name, one in known.items()})
    signals = {name: one["signal"] for name, one in known.items() if "signal" in one}
    if signals:
        result += _levels(place, "signal", signals)
    else:
        result += [place.missing(f"signal_{metric}", "the truth names no signal") for metric in METRICS]
    for metric in ("seconds", "evidence_seconds"):
        if values := {name: one[metric] for name, one in known.items() if metric in one}:
            result.append(place.mean(metric, values))
    if why:
        result.append(place.left_out(len(here) - len(known), len(here), why))
    return result


def _levels(place: Place, level: str, ranks: dict[str, float]) -> list[Figure]:
    arrays = [np.array([rank]) for rank in ranks.values()]
    parts = {"ac@1": ac_at(arrays, 1), "ac@3": ac_at(arrays, 3), "ac@5": ac_at(arrays, 5), "avg@5": avg_at(arrays, 5)}
    return [
        place.mean(f"{level}_{name}", dict(zip(ranks, values.tolist(), strict=True))) for name, values in parts.items()
    ]
