"""Detection: windows of telemetry in, anomalies and incidents out.

`Detector` scores every metric, log template and span signal of a window; `IncidentBook` groups what it reports into
incidents; `MetricScorer` is the vectorised state behind the scores, `score_series` the same over a whole file.
Scores are decades of improbability (-log10 p) as learned by the series so far; no output looks ahead in time.
`score_sessions` is for log sessions, each judged whole by those learnt from.
"""

from detection._detector import Detector
from detection._incidents import IncidentBook, IncidentUpdate, Outcome
from detection._offline import DETECT_THRESHOLD, DETECTED, score_matrix, score_series
from detection._pattern import load_models
from detection._scorer import MetricScorer
from detection._scores import WARM_UP, Scores
from detection._sessions import METHODS as SESSION_METHODS
from detection._sessions import SessionScores, score_sessions
from detection._settings import DetectorSettings, IncidentSettings

__all__ = [
    "DETECTED",
    "DETECT_THRESHOLD",
    "SESSION_METHODS",
    "WARM_UP",
    "Detector",
    "DetectorSettings",
    "IncidentBook",
    "IncidentSettings",
    "IncidentUpdate",
    "MetricScorer",
    "Outcome",
    "Scores",
    "SessionScores",
    "load_models",
    "score_matrix",
    "score_series",
    "score_sessions",
]
