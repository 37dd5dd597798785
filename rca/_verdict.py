"""Is the evidence enough to name the first suspect?"""

from collections.abc import Mapping

import numpy as np

from rca._panel import Floats
from rca._scores import Board

_ENOUGH = 0.5
_TELLING = 0.3
_ORDINARY_LOAD = 1.1
_WEIGHTS = np.array([0.1, 1.85, 1.25, 0.05, -8.0])
"""Fitted on simulated incidents (see `features`); a load on top speaks against any single cause."""


def surge(state: Board, load: Mapping[str, float]) -> float:
    """Return how many times more is asked of the services where requests come in (all, if no call is known)."""
    called, calling = ((state.calls > 0).sum(axis=axis).tolist() for axis in (0, 1))
    entries = [s for s, inner, outer in zip(state.services, called, calling, strict=True) if outer and not inner]
    ratios = [load[s] for s in (entries or state.services) if s in load]
    return float(np.median(ratios)) if ratios else 1.0


def features(state: Board, scores: Floats, load: float) -> Floats:
    """Return what the confidence depends on: margin over the second, score of the first, kinds of evidence for it,
    and the logarithm of the load that came on top of what is ordinary.
    """
    first = int(np.argmax(scores))
    second = float(np.max(np.delete(scores, first), initial=0.0))
    kinds = len({f.kind for f in state.findings[state.services[first]] if f.strength > _TELLING})
    margin = 1 - second / float(scores[first])
    return np.array([1.0, margin, np.log(scores[first]), kinds, np.log(max(load / _ORDINARY_LOAD, 1.0))])


def confidence(state: Board, scores: Floats, load: float) -> float:
    """Return a probability-like value, 0 to 1, that the highest score belongs to the root cause (logistic)."""
    if not len(scores) or scores.max() <= 0:
        return 0.0
    return float(1 / (1 + np.exp(-(_WEIGHTS @ features(state, scores, load)))))


def verdict(value: float) -> str:
    """Return "root_cause_found" from a confidence of 0.5 on, else "insufficient_evidence"."""
    return "root_cause_found" if value >= _ENOUGH else "insufficient_evidence"
