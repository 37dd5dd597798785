"""Is the evidence enough to name the first suspect?"""

import numpy as np

from rca._panel import Floats
from rca._scores import Board

_ENOUGH = 0.5


def confidence(state: Board, scores: Floats) -> float:
    """Return a probability-like value, 0 to 1, that the highest score belongs to the root cause.

    Logistic in the margin over the second service, the score itself and the number of kinds of evidence.
    """
    if not len(scores) or scores.max() <= 0:
        return 0.0
    first = int(np.argmax(scores))
    second = float(np.max(np.delete(scores, first), initial=0.0))
    margin = 1 - second / float(scores[first])
    kinds = len({f.kind for f in state.findings[state.services[first]] if f.strength > 1.0})
    return float(1 / (1 + np.exp(-(-3.0 + 4.0 * margin + 0.5 * float(scores[first]) + 0.3 * kinds))))


def verdict(value: float) -> str:
    """Return "root_cause_found" from a confidence of 0.5 on, else "insufficient_evidence"."""
    return "root_cause_found" if value >= _ENOUGH else "insufficient_evidence"
