"""Root cause ranking: AC@k and Avg@k, with ties broken at random.

AC@k after Meng et al., "Localizing Failure Root Causes in a Microservice through Causality Inference" (IWQoS 2020), as
RCAEval (Pham et al., 2024) uses it: the mean over cases of |first k suspects that are true| / min(k, |true|), which
for one true cause is the share of cases that have it among the first k. Avg@k is the mean of AC@1 to AC@k.
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.metrics._points import Floats


def true_ranks(names: Sequence[str], scores: ArrayLike, truth: Collection[str], seed: int) -> Floats:
    """Return the rank, from 1, of each true cause in one case, ascending; inf for those not ranked.

    `names` are services or signals, each once; higher scores rank first, NaN last. Equal scores are ordered at random,
    by a draw that depends on the seed and the set of names but not on their order. Give each case its own seed.
    ValueError: a name occurs twice, lengths differ, or there is no true cause.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != (len(names),) or len(set(names)) != len(names):
        raise ValueError(f"{len(names)} names, {len(set(names))} of them distinct, and scores {values.shape}")
    if not truth:
        raise ValueError("no true cause; expected at least one")
    alphabetical = sorted(range(len(names)), key=names.__getitem__)
    worst_last = -np.where(np.isnan(values), -np.inf, values)[alphabetical]
    order = np.lexsort((np.random.default_rng(seed).random(len(names)), worst_last))
    found = {names[alphabetical[at]]: float(place) for place, at in enumerate(order, start=1)}
    return np.sort(np.array([found.get(name, np.inf) for name in truth]))


def by_service(services: Sequence[str], scores: ArrayLike) -> tuple[list[str], Floats]:
    """Fold signals to services: each service once, by name, with the highest score of its signals; NaN if all are."""
    names, owner = np.unique(np.asarray(services, dtype=np.str_), return_inverse=True)
    best = np.full(len(names), np.nan)
    np.fmax.at(best, owner, np.asarray(scores, dtype=np.float64))
    return names.tolist(), best


def ac_at(ranks: Sequence[Floats], k: int) -> Floats:
    """Return each case's part of AC@k, shape (cases,): its mean is AC@k, and `bootstrap` gives the interval.

    `ranks`: one result of `true_ranks` a case. ValueError: k < 1.
    """
    if k < 1:
        raise ValueError(f"k is {k}; expected at least 1")
    return np.array([np.count_nonzero(case <= k) / min(k, len(case)) for case in ranks])


def avg_at(ranks: Sequence[Floats], k: int) -> Floats:
    """Return each case's part of Avg@k, shape (cases,)."""
    return np.asarray(np.stack([ac_at(ranks, depth) for depth in range(1, k + 1)]).mean(axis=0))
