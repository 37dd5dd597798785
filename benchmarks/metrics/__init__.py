"""The figures the benchmark reports, each a pure function of truth and output, each with its formula and source.

Parsing: `parsing_score` (GA, PA, FGA, FTA). Detection: `nab`, `vus_pr`, `pate`, `average_precision`, `event_score`,
`best_event_score`, `count_alerts`. Sessions: `classes`. Root cause: `true_ranks`, `ac_at`, `avg_at`, `by_service`.
Uncertainty: `bootstrap` over cases, `share` (Wilson) and `rate` (exact Poisson). All randomness is seeded; a figure
that is undefined for a case (no labelled point, say) is NaN and to be counted, never averaged away.
"""

from benchmarks.metrics._alerts import AlertCount, EventScore, best_event_score, count_alerts, event_score
from benchmarks.metrics._classes import Classes, classes
from benchmarks.metrics._intervals import bootstrap, rate, ratio_of_sums, share
from benchmarks.metrics._nab import (
    NAB_PROFILES,
    NabProfile,
    NabScore,
    NabSeries,
    nab,
    probation_length,
    window_indices,
)
from benchmarks.metrics._parsing import ParsingScore, parsing_score
from benchmarks.metrics._pate import pate
from benchmarks.metrics._points import average_precision, window_mask
from benchmarks.metrics._rca import ac_at, avg_at, by_service, true_ranks
from benchmarks.metrics._vus import vus_pr

__all__ = [
    "NAB_PROFILES",
    "AlertCount",
    "Classes",
    "EventScore",
    "NabProfile",
    "NabScore",
    "NabSeries",
    "ParsingScore",
    "ac_at",
    "average_precision",
    "avg_at",
    "best_event_score",
    "bootstrap",
    "by_service",
    "classes",
    "count_alerts",
    "event_score",
    "nab",
    "parsing_score",
    "pate",
    "probation_length",
    "rate",
    "ratio_of_sums",
    "share",
    "true_ranks",
    "vus_pr",
    "window_indices",
    "window_mask",
]
