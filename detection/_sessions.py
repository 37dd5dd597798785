"""Anomalous log sessions: how far a session's event counts are from those of the sessions learnt from.

Labels are never used, and what is learnt from may itself hold a few anomalous sessions. Both detectors look at how
often each event occurs, not at the order.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from telemetry import UsageError

Floats = npt.NDArray[np.float64]
Sessions = Sequence[Sequence[str]]

_RARE = 1e-3
_QUANTILE = 0.995
_LEAST = 1e-6  # distances of equal vectors may differ from 0 by rounding
_REFERENCE = 20_000  # distinct count vectors kept to compare with


@dataclass(frozen=True)
class SessionScores:
    """One score a session, higher is worse; a session is anomalous where score >= threshold."""

    scores: Floats
    threshold: float


def unseen_vectors(train: Sessions, test: Sessions) -> SessionScores:
    """The baseline: a session is anomalous (score 1, threshold 1) if its event counts as a whole never occurred in
    training."""
    known = {_key(session) for session in train}
    return SessionScores(np.array([float(_key(session) not in known) for session in test]), 1.0)


def knn_counts(train: Sessions, test: Sessions) -> SessionScores:
    """PyOD's KNN on log(1 + count) of each event: the distance to the nearest reference session, plus 1 for a session
    with an event that never occurred in training.

    Training sessions whose counts occur in less than one in a thousand of all (but at least twice) are no reference:
    what is rare cannot vouch for being normal. The threshold is the 99.5 % quantile of the distances of the reference
    sessions from those of the other half (every second one), and never 0.
    """
    kinds = {event: place for place, event in enumerate(sorted({event for session in train for event in session}))}
    keys = [_key(session) for session in train]
    tally = Counter(keys)
    least = max(2.0, _RARE * len(train))
    common = [key for key, count in tally.most_common(_REFERENCE) if count >= least] or list(tally)[:_REFERENCE]
    wanted = set(common)
    halves = [[key for key in keys[side::2] if key in wanted] for side in (0, 1)]
    held = [_distances(halves[side] or common, halves[1 - side], kinds) for side in (0, 1)]
    threshold = max(float(np.quantile(np.concatenate(held), _QUANTILE)), _LEAST)
    asked = [_key(session) for session in test]
    fresh = np.array([any(event not in kinds for event, _ in key) for key in asked], np.float64)
    return SessionScores(_distances(common, asked, kinds) + fresh, threshold)


def _distances(reference: Sequence["_Key"], asked: Sequence["_Key"], kinds: dict[str, int]) -> Floats:
    """Return the distance of each asked session from the nearest reference session; equal ones are looked up once."""
    from pyod.models.knn import KNN

    if not asked:
        return np.zeros(0)
    known, distinct = list(dict.fromkeys(reference)), list(dict.fromkeys(asked))
    if len(known) == 1:
        found = np.linalg.norm(_vectors(distinct, kinds) - _vectors(known, kinds), axis=1)
    else:
        model = KNN(n_neighbors=1)
        model.fit(_vectors(known, kinds))
        found = np.asarray(model.decision_function(_vectors(distinct, kinds)), np.float64)
    distance = dict(zip(distinct, found.tolist(), strict=True))
    return np.array([distance[key] for key in asked])


METHODS: dict[str, Callable[[Sessions, Sessions], SessionScores]] = {"knn": knn_counts, "unseen": unseen_vectors}


def score_sessions(train: Sessions, test: Sessions, method: str = "knn") -> SessionScores:
    """Score `test` sessions by `train`ing ones, each a sequence of event names.

    Raises UsageError: an unknown method, or no training session.
    """
    if method not in METHODS:
        raise UsageError(f"unknown session detector {method!r}: one of {', '.join(METHODS)}")
    if not len(train):
        raise UsageError("no training session; want at least one to learn from")
    if not len(test):
        return SessionScores(np.zeros(0), 0.0)
    return METHODS[method](train, test)


_Key = tuple[tuple[str, int], ...]


def _key(session: Sequence[str]) -> _Key:
    return tuple(sorted(Counter(session).items()))


def _vectors(keys: Sequence[_Key], kinds: dict[str, int]) -> Floats:
    counts = np.zeros((len(keys), max(len(kinds), 1)))
    for row, key in enumerate(keys):
        for event, count in key:
            if event in kinds:
                counts[row, kinds[event]] = count
    return np.log1p(counts)
