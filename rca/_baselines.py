"""Plain rankers to compare with: what a report must beat to claim anything."""

import hashlib

import numpy as np

from rca._panel import Floats, Panel, column_mean, column_quantiles


def nsigma(data: Panel, reference: Floats, abnormal: Floats) -> Floats:
    """Score each series by the largest |x - mean| / sd after the onset; series that were constant get 0."""
    centre = column_mean(reference)
    scale = np.sqrt(column_mean((reference - centre) ** 2))
    return _largest(np.abs(abnormal - centre), scale)


def robust(data: Panel, reference: Floats, abnormal: Floats) -> Floats:
    """Score each series by the largest (x - median) / IQR after the onset; series without any IQR get 0.

    The RobustScorer of BARO (Pham, Ha and Zhang 2024, FSE, "BARO: Robust root cause analysis for microservices via
    multivariate Bayesian online change point detection"), without its change point detector.
    """
    q1, centre, q3 = column_quantiles(reference, (0.25, 0.5, 0.75))
    return _largest(abnormal - centre, q3 - q1)


def random_scores(data: Panel, reference: Floats, abnormal: Floats) -> Floats:
    """Score each series by a hash of its name: a guess that is the same in every run and whatever the column order."""
    return np.array([unit_hash(f"{s}\0{m}") for s, m in zip(data.services, data.metrics, strict=True)])


def unit_hash(text: str) -> float:
    """Return a number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big") / 2**56


def _largest(distance: Floats, scale: Floats) -> Floats:
    usable = np.isfinite(scale) & (scale > 0)
    z = np.where(usable & np.isfinite(distance), distance, 0.0) / np.where(usable, scale, 1.0)
    return np.asarray(z.max(axis=0, initial=0.0))


BASELINES = {"nsigma": nsigma, "robust": robust, "random": random_scores}
