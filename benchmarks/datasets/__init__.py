"""Data sets for the benchmarks: what there is, how to get it safely, and readers that never lose a case quietly.

`DATASETS` names what `download` fetches; `verify` checks files against their checksums. The readers (`parsing_sets`,
`raw_logs`, `session_sets`, `metric_series`, `rca_cases`, and `read_parsing_set`, `rcaeval_cases` for official archives)
return typed cases with their truth, or raise `DataError` with one line. Nothing is shipped; tests make their own data.
"""

from benchmarks.datasets._check import SUMS, Verified, verify
from benchmarks.datasets._download import download
from benchmarks.datasets._errors import DataError
from benchmarks.datasets._fetch import Policy
from benchmarks.datasets._logs import BlockLabels, RawLog, raw_logs
from benchmarks.datasets._parsing import (
    CORRECTED,
    LOGHUB2,
    ORIGINAL,
    TRUTHS,
    ParsingSet,
    parsing_sets,
    read_parsing_set,
)
from benchmarks.datasets._rca import (
    RcaCase,
    Recording,
    rca_cases,
    rca_set,
    rcaeval_cases,
    read_recording,
)
from benchmarks.datasets._registry import DATASETS, Archive, Dataset, dataset
from benchmarks.datasets._series import MetricSeries, metric_series
from benchmarks.datasets._sessions import SessionSet, session_sets, session_templates

__all__ = [
    "CORRECTED",
    "DATASETS",
    "LOGHUB2",
    "ORIGINAL",
    "SUMS",
    "TRUTHS",
    "Archive",
    "BlockLabels",
    "DataError",
    "Dataset",
    "MetricSeries",
    "ParsingSet",
    "Policy",
    "RawLog",
    "RcaCase",
    "Recording",
    "SessionSet",
    "Verified",
    "dataset",
    "download",
    "metric_series",
    "parsing_sets",
    "raw_logs",
    "rca_cases",
    "rca_set",
    "rcaeval_cases",
    "read_parsing_set",
    "read_recording",
    "session_sets",
    "session_templates",
    "verify",
]
