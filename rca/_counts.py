"""Counts that grew: how surprising a number of events is against a rate seen before."""

import numpy as np

from rca._panel import Floats


def surprise(observed: Floats | float, expected: Floats | float, dispersion: Floats | float = 1.0) -> Floats:
    """Return the signed root of the Poisson deviance, in standard deviations (McCullagh and Nelder 1989, section 2.3).

    `expected` must be positive; `dispersion` is variance over mean of the counts (1: Poisson).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.where(np.greater(observed, 0), observed * np.log(np.divide(observed, expected)), 0.0)
    deviance = np.maximum(2.0 * (log - np.subtract(observed, expected)), 0.0)
    return np.asarray(np.sign(np.subtract(observed, expected)) * np.sqrt(deviance / np.maximum(dispersion, 1.0)))


def dispersion(counts: Floats) -> Floats:
    """Return variance over mean of each column of counts [window, column]; 1 where nothing was counted."""
    if len(counts) < 2:
        return np.ones(counts.shape[1])
    mean = counts.mean(axis=0)
    return np.where(mean > 0, counts.var(axis=0) / np.where(mean > 0, mean, 1.0), 1.0)
