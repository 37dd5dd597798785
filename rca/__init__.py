"""Root cause analysis: from the telemetry around an incident to ranked services, with evidence and a verdict.

`diagnose(Evidence)` scores how far metrics, logs and spans of each service are from their past, takes off what the
services it calls explain, walks the graph (calls, Granger or PCMCI) a little, and says whether that is enough.
Plain rankers (`nsigma`, `robust`, `random`) answer to the same call, for comparison; `granger` is the test of all pairs
of series on its own. Nothing here reads a store.
"""

from rca._diagnose import METHODS, diagnose
from rca._evidence import Diagnosis, Evidence, EvidenceRow, Suspect, suspects_table
from rca._granger import granger
from rca._usual import usual_score

__all__ = [
    "METHODS",
    "Diagnosis",
    "Evidence",
    "EvidenceRow",
    "Suspect",
    "diagnose",
    "granger",
    "suspects_table",
    "usual_score",
]
