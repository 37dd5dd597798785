"""Who may have infected whom: the call graph, and graphs learned from the suspicious series."""

from collections.abc import Callable, Sequence

import numpy as np

from rca._findings import Finding
from rca._panel import Floats, Panel, filled

MAX_SERIES = 16
"""Series a learned graph looks at: the strongest of each of the most suspicious services."""
_MAX_ROWS = 600
_ALPHA = 0.01


def learned(
    data: Panel, services: Sequence[str], findings: Sequence[Finding], test: Callable[[Floats], Floats]
) -> Floats:
    """Return weights[effect, cause] between services from a causality test (p[i, j]: series i drives series j).

    The weight is -log10 p, at most 6, of the strongest pair of series; 0 above p = 0.01. The walk goes from the effect
    to its cause, as it goes from caller to callee.
    """
    place = {pair: s for s, pair in enumerate(zip(data.services, data.metrics, strict=True))}
    chosen = _strongest(findings, place)
    weights = np.zeros((len(services), len(services)))
    if len(chosen) < 2:
        return weights
    p = test(filled(data.values[-_MAX_ROWS:, chosen]))
    strength = np.where(p < _ALPHA, np.minimum(-np.log10(np.maximum(p, 1e-300)), 6.0), 0.0)
    index = {service: number for number, service in enumerate(services)}
    owner = np.array([index[data.services[s]] for s in chosen])
    np.maximum.at(weights, (owner[None, :].repeat(len(owner), 0), owner[:, None].repeat(len(owner), 1)), strength)
    np.fill_diagonal(weights, 0.0)
    return weights


def _strongest(findings: Sequence[Finding], place: dict[tuple[str, str], int]) -> list[int]:
    """The two strongest metric series of each service, services by their strongest, at most `MAX_SERIES` in all."""
    taken: dict[str, int] = {}
    chosen: list[int] = []
    for f in sorted(findings, key=lambda f: (-f.strength, f.service, f.signal)):
        column = place.get((f.service, f.signal)) if f.kind == "metric" else None
        if column is None or taken.get(f.service, 0) >= 2 or len(chosen) >= MAX_SERIES:
            continue
        taken[f.service] = taken.get(f.service, 0) + 1
        chosen.append(column)
    return chosen


def walk_weights(graph: Floats, scores: Floats) -> Floats:
    """Return the weights of the walk: to a cause as suspicious as it is, to stay as suspicious as one is oneself.

    Edge weights are taken relative to the strongest one out of a service, so that only their proportions matter.
    """
    strongest = graph.max(axis=1, initial=0.0)[:, None]
    relative = np.divide(graph, strongest, out=np.zeros_like(graph), where=strongest > 0)
    return np.asarray(relative * scores[None, :] + np.diag(scores))


def path_to_pain(start: int, calls: Floats, scores: Floats, least: float) -> list[int]:
    """Walk from a service to the most suspicious of its callers, as long as there is one with a score of `least`."""
    path = [start]
    while True:
        callers = np.flatnonzero((calls[:, path[-1]] > 0) & (scores >= least))
        callers = callers[~np.isin(callers, path)]
        if not len(callers):
            return path
        path.append(int(callers[np.argmax(scores[callers])]))
