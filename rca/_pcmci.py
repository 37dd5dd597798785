"""PCMCI through tigramite (Runge et al. 2019, Science Advances 5), the one module that imports it (GPL-3.0+)."""

import numpy as np

from rca._panel import Floats


def pcmci(values: Floats, max_lag: int = 3, alpha: float = 0.05) -> Floats:
    """Return p[i, j]: smallest p value over lags 1..max_lag that series i drives series j, given all other series.

    `values[t, s]` must be finite. Cost grows with the square of the number of series and more: 20 take seconds.
    """
    from tigramite.data_processing import DataFrame
    from tigramite.independence_tests.parcorr import ParCorr
    from tigramite.pcmci import PCMCI

    spread = values.std(axis=0)
    alive = np.flatnonzero(spread > 0)
    p = np.ones((values.shape[1], values.shape[1]))
    if len(alive) < 2 or len(values) < 8 * max_lag:
        return p
    z = (values[:, alive] - values[:, alive].mean(axis=0)) / spread[alive]
    found = PCMCI(dataframe=DataFrame(z), cond_ind_test=ParCorr(), verbosity=0)
    result = found.run_pcmci(tau_min=1, tau_max=max_lag, pc_alpha=alpha)["p_matrix"][:, :, 1:]
    p[np.ix_(alive, alive)] = result.min(axis=2)
    np.fill_diagonal(p, 1.0)
    return p
