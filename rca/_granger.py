"""Pairwise Granger causality, all pairs at once (Granger 1969, Econometrica 37).

x causes y at lag L if L past values of x improve the least-squares prediction of y from its own L past values and a
constant. Instead of one regression a pair, all inner products are taken once; y's own past is swept out of them
(Frisch-Waugh-Lovell), and each pair then needs only L sweeps of a small system. Results equal the ssr F test of
`statsmodels.tsa.stattools.grangercausalitytests` on standardised series.
"""

import numpy as np
import numpy.typing as npt

from rca._panel import Floats

_SINGULAR = 1e-11
"""A regressor is dropped when less than this share of its variance is its own."""


def granger(values: Floats, max_lag: int = 3) -> Floats:
    """Return p[i, j]: smallest p value over lags 1..max_lag, times the number of lags (Bonferroni), that i causes j.

    `values[t, s]` must be finite. Constant series and series with too few rows get p = 1; so does the diagonal.
    """
    lags = [lag for lag in range(1, max_lag + 1) if len(values) > 3 * lag + 1]
    best = np.ones((values.shape[1], values.shape[1]))
    for lag in lags:
        best = np.minimum(best, granger_lag(values, lag))
    return np.minimum(best * max(len(lags), 1), 1.0)


def granger_lag(values: Floats, lag: int) -> Floats:
    """Return p[i, j] of the ssr F test that series i causes series j with exactly `lag` lags."""
    from scipy.special import fdtrc

    series = values.shape[1]
    p = np.ones((series, series))
    free = len(values) - 3 * lag - 1
    if free < 1:
        return p
    z, alive = _standardised(values)
    past = np.stack([z[lag - k : len(z) - k] for k in range(1, lag + 1)], axis=2).reshape(len(z) - lag, -1)
    past, target = past - past.mean(axis=0), z[lag:] - z[lag:].mean(axis=0)
    gram = (past.T @ past).reshape(series, lag, series, lag)
    cross = (past.T @ target).reshape(series, lag, series)
    size = np.einsum("ts,ts->s", target, target)
    for j in np.flatnonzero(alive):
        restricted, gain = _gains(gram, cross[:, :, j], float(size[j]), int(j))
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = (gain / lag) / (np.maximum(restricted - gain, 0.0) / free)
        tested = alive & np.isfinite(statistic) & (np.arange(series) != j)
        p[tested, j] = fdtrc(lag, free, statistic[tested])
    return p


def _standardised(values: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    spread = values.std(axis=0)
    alive = spread > 1e-12 * np.maximum(np.abs(values).max(axis=0), 1e-300)
    return np.where(alive, (values - values.mean(axis=0)) / np.where(alive, spread, 1.0), 0.0), alive


def _gains(gram: Floats, cross: Floats, size: float, j: int) -> tuple[float, Floats]:
    """Residual sum of squares of j on its own past, and by how much each series' past lowers it.

    Works on one augmented matrix a series, [own past of j | past of i | j now], and sweeps its columns in turn.
    """
    series, lag = cross.shape
    system = np.empty((series, 2 * lag + 1, 2 * lag + 1))
    own, other = slice(0, lag), slice(lag, 2 * lag)
    system[:, own, own] = gram[j, :, j, :]
    system[:, other, other] = np.einsum("iaib->iab", gram)
    system[:, own, other] = np.moveaxis(gram[j], 1, 0)
    system[:, other, own] = np.swapaxes(system[:, own, other], 1, 2)
    system[:, own, -1] = system[:, -1, own] = cross[j]
    system[:, other, -1] = system[:, -1, other] = cross
    system[:, -1, -1] = size
    original = np.einsum("saa->sa", system).copy()
    for column in range(lag):
        _sweep(system, column, original[:, column])
    restricted = system[:, -1, -1].copy()
    for column in range(lag, 2 * lag):
        _sweep(system, column, original[:, column])
    return float(restricted[0]), restricted - system[:, -1, -1]


def _sweep(system: Floats, k: int, original: Floats) -> None:
    """Eliminate column k from every matrix of the stack, in place; a column without own variance is left out."""
    pivot = system[:, k, k]
    usable = pivot > _SINGULAR * original
    row = np.where(usable[:, None], system[:, k, :], 0.0)
    factor = row / np.where(usable, pivot, 1.0)[:, None]
    system -= row[:, :, None] * factor[:, None, :]
