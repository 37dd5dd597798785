"""Scores of whole series for `faultline detect`: the live scorer run over a file, point by point."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from detection._scorer import MetricScorer

DETECT_THRESHOLD = 5.0
"""Decades of improbability at which a cell counts as anomalous."""

DETECTED = pa.schema(
    [
        pa.field("series", pa.string(), nullable=False),
        pa.field("time", pa.string(), nullable=False),  # as given
        pa.field("score", pa.float64()),  # null where the cell has no value
        pa.field("threshold", pa.float64(), nullable=False),
        pa.field("anomaly", pa.int8(), nullable=False),
    ]
)
"""One row an input cell."""


def score_matrix(values: np.ndarray) -> np.ndarray:
    """Return the score of each cell of `values` (times, series), float64; NaN stays NaN.

    Row t depends on rows 0 to t only, and each series on itself only.
    """
    scorer = MetricScorer()
    rows = np.arange(values.shape[1])
    scores = np.empty(values.shape, dtype=np.float64)
    for t, cells in enumerate(np.asarray(values, dtype=np.float64)):
        scores[t] = scorer.update(rows, cells).score
    return scores


def score_series(times: Sequence[str], names: Sequence[str], values: np.ndarray) -> pa.Table:
    """Return a DETECTED table for `values` (times, series): for each time in order, one row a series in order."""
    scores = score_matrix(values).ravel()
    missing = np.isnan(scores)
    columns = {
        "series": pa.array(np.tile(np.array(names, dtype=object), len(times)), pa.string()),
        "time": pa.array(np.repeat(np.array(times, dtype=object), len(names)), pa.string()),
        "score": pa.array(scores, mask=missing),
        "threshold": pa.array(np.full(len(scores), DETECT_THRESHOLD)),
        "anomaly": pa.array((~missing & (scores >= DETECT_THRESHOLD)).astype(np.int8)),
    }
    return pa.table(columns, schema=DETECTED)
