import warnings

import numpy as np
from statsmodels.tsa.stattools import grangercausalitytests

from rca._granger import granger, granger_lag


def _series(seed: int, rows: int = 150) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 6))
    x[:, 0] = x[:, 0].cumsum() * 1e6  # a random walk in bytes
    for t in range(2, rows):
        x[t, 1] = 0.6 * x[t - 2, 2] + 0.3 * x[t, 1]
        x[t, 3] = 0.9 * x[t - 1, 3] + 0.5 * x[t - 1, 1] + 0.2 * x[t, 3]
    return x


def test_p_values_equal_statsmodels_on_standardised_series():
    for seed in range(3):
        x = _series(seed)
        z = (x - x.mean(axis=0)) / x.std(axis=0)
        for lag in (1, 2, 3):
            ours = granger_lag(x, lag)
            for i in range(6):
                for j in range(6):
                    if i == j:
                        continue
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        theirs = grangercausalitytests(z[:, [j, i]], [lag])[lag][0]["ssr_ftest"][1]
                    assert abs(ours[i, j] - theirs) < 1e-9


def test_finds_the_direction():
    p = granger(_series(5, rows=400))
    assert p[2, 1] < 1e-6
    assert p[1, 3] < 1e-6
    assert p[3, 1] > 0.01
    assert p[1, 2] > 0.01


def test_constant_and_copied_series_cause_nothing():
    x = _series(1)
    x[:, 4] = 7.0
    x[:, 5] = x[:, 3]
    p = granger(x)
    assert (p[4] == 1).all()
    assert (p[:, 4] == 1).all()
    assert p[5, 3] > 0.05
    assert p[3, 5] > 0.05


def test_too_few_rows_say_nothing():
    assert (granger(_series(2)[:4]) == 1).all()
