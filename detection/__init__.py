"""Detection: windows of telemetry in, anomalies and incidents out.

`Detector` scores every metric, log template and span signal of a window; `IncidentBook` groups what it reports into
incidents; `MetricScorer` is the vectorised state behind the scores, `score_series` the same over a whole file.
Scores are decades of improbability (-log10 p) as learned by the series so far. No output looks ahead in time.
"""

from detection._detector import Detector
from detection._incidents import IncidentBook, IncidentUpdate, Outcome
from detection._offline import DETECT_THRESHOLD, DETECTED, score_matrix, score_series
from detection._scorer import MetricScorer
from detection._scores import WARM_UP, Scores
from detection._settings import DetectorSettings, IncidentSettings

__all__ = [
    "DETECTED",
    "DETECT_THRESHOLD",
    "WARM_UP",
    "Detector",
    "DetectorSettings",
    "IncidentBook",
    "IncidentSettings",
    "IncidentUpdate",
    "MetricScorer",
    "Outcome",
    "Scores",
    "score_matrix",
    "score_series",
]
