"""How suspicious the most suspicious service looks when nothing is known to be wrong: a yardstick for a score."""

from dataclasses import replace

import numpy as np

from rca._diagnose import diagnose
from rca._evidence import Evidence
from rca._metrics import GUARD_US
from rca._panel import times_us
from telemetry import EvidenceError

_LOOKS = 5
_REFERENCE = 0.4
"""Share of the history before the onset that each look keeps as its reference."""


def usual_score(evidence: Evidence) -> float:
    """Return the median score of the first suspect over earlier periods as long as the one since `evidence.onset`,
    or, where that is more than a quarter of the history before it, as long as that quarter.

    Each look ranks an earlier period of the same telemetry as if an incident had begun with it. With many services and
    few points some service always looks suspicious; a score means as much as it exceeds that. The median stands up to
    earlier incidents in the history. 0 if there is no history. `evidence.onset` must be given.
    """
    if evidence.onset is None:
        raise ValueError("usual_score: the evidence has no onset")
    scores = []
    for onset, until in _looks(evidence, evidence.onset):
        try:
            found = diagnose(replace(evidence, onset=onset, until=until))
        except EvidenceError:
            continue
        scores.append(found.suspects[0].score if found.suspects else 0.0)
    return float(np.median(scores)) if scores else 0.0


def _looks(evidence: Evidence, onset: int) -> list[tuple[int, int]]:
    """Return earlier (onset, until) periods, whole steps of the metrics back, so that each has as many points."""
    firsts = [int(times_us(t).min()) for t in (evidence.metrics, evidence.logs, evidence.spans) if t.num_rows]
    if not firsts or min(firsts) >= onset:
        return []
    history = onset - min(firsts)
    length, step = min(evidence.until - onset, history // 4), _step_us(evidence)
    nearest = evidence.until - onset + GUARD_US
    farthest = evidence.until - min(firsts) - int(_REFERENCE * history) - length
    shifts = {int(np.ceil(shift / step)) * step for shift in np.linspace(nearest, farthest, _LOOKS)}
    return [(evidence.until - s - length, evidence.until - s) for s in sorted(shifts) if nearest <= s <= farthest]


def _step_us(evidence: Evidence) -> int:
    """Return the usual time between two rounds of metric points, at least the length of a window."""
    times = np.unique(times_us(evidence.metrics)) if evidence.metrics.num_rows else np.empty(0)
    return max(int(np.median(np.diff(times))) if len(times) > 2 else 0, evidence.step_us)
