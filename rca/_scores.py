"""From findings to one score a service: its own evidence, less what the services it calls explain."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rca._findings import Finding
from rca._kinds import is_failure, is_worse
from rca._panel import Floats

_KIND_WEIGHT = {"metric": 0.7, "log": 1.0, "span": 1.0}
"""Metrics move for many reasons; a new error or a slow way has few."""
_CAUSES = ("cause", "other", "load", "host", "callee")
_SYMPTOMS = ("symptom", "blame")
_LESSER = 0.5
_EXPLAINED = 0.85
"""Largest share of a symptom that an at least equally suspicious callee takes away."""


@dataclass(frozen=True)
class Board:
    """All findings by service, in order of falling strength, and the call graph as a matrix [caller, callee]."""

    services: tuple[str, ...]
    findings: Mapping[str, Sequence[Finding]]
    calls: Floats

    def best(self, service: str, kind: str, wanted: Callable[[Finding], bool]) -> float:
        """Strength of the strongest finding of a kind that is wanted; 0 if there is none."""
        return max((f.strength for f in self.findings[service] if f.kind == kind and wanted(f)), default=0.0)


def board(services: Sequence[str], findings: Sequence[Finding], calls: Mapping[tuple[str, str], float]) -> Board:
    """Sort findings by service. Equal strengths keep name order, so that the order of the input cannot matter."""
    grouped: dict[str, list[Finding]] = defaultdict(list)
    for finding in sorted(findings, key=lambda f: (-f.strength, f.kind, f.signal, f.text)):
        grouped[finding.service].append(finding)
    names = tuple(sorted(services))
    place = {name: number for number, name in enumerate(names)}
    matrix = np.zeros((len(names), len(names)))
    for (caller, callee), weight in calls.items():
        if caller != callee and caller in place and callee in place:
            matrix[place[caller], place[callee]] = max(weight, 0.0)
    return Board(names, {name: tuple(grouped[name]) for name in names}, matrix)


def service_scores(state: Board) -> Floats:
    """Return the evidence of each service: per kind its best cause and best symptom, less what callees explain.

    A symptom (slow or failing answers, and being named by callers) is explained by a called service in which more is
    wrong. The lesser of cause and symptom counts in part: a busy cpu where answers are slow says more than either.
    """
    cause, symptom = _by_kind(state, lambda f: f.role in _CAUSES), _by_kind(state, lambda f: f.role in _SYMPTOMS)
    own, handed_on = _by_kind(state, lambda f: f.role == "cause"), _by_kind(state, _is_handed_on)
    whole, explains = _combined(cause, symptom), _combined(own, handed_on)
    callee = np.max(np.where(state.calls > 0, explains[None, :], 0.0), axis=1, initial=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = _EXPLAINED * np.minimum(np.nan_to_num(callee / whole), 1.0)
    return _combined(cause, symptom * (1 - explained)[:, None])


def affected(state: Board) -> Floats:
    """Return the strength of the strongest finding of each service, whoever caused it."""
    return np.array([max((f.strength for f in state.findings[s]), default=0.0) for s in state.services])


def _combined(cause: Floats, symptom: Floats) -> Floats:
    both = np.maximum(cause, symptom) + _LESSER * np.minimum(cause, symptom)
    return np.asarray(both @ np.array(list(_KIND_WEIGHT.values())))


def _by_kind(state: Board, wanted: Callable[[Finding], bool]) -> Floats:
    return np.array([[state.best(s, kind, wanted) for kind in _KIND_WEIGHT] for s in state.services]).reshape(-1, 3)


def _is_handed_on(finding: Finding) -> bool:
    """Whether a symptom of a called service explains those of its callers.

    Slow answers seen in metrics alone do not: they may come from anywhere. Failed ones do. Else the services nearest to
    the users, whose few failures make a small rise a great deviation, look guilty until logs and spans are many.
    """
    failed = finding.kind != "metric" or (is_failure(finding.signal) and is_worse(finding.signal, finding.z))
    return finding.role in _SYMPTOMS and failed
