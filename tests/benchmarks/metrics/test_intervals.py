import numpy as np
import pytest

from benchmarks.metrics import _intervals as module
from benchmarks.metrics import bootstrap, rate, ratio_of_sums, share


def test_mean_has_the_interval_of_the_normal_law():
    values = np.random.default_rng(0).normal(5, 2, size=400)
    result = bootstrap(values, resamples=4000)
    half = 1.96 * values.std() / 20
    assert result["value"] == pytest.approx(values.mean())
    assert result["low"] == pytest.approx(values.mean() - half, abs=0.02)
    assert result["high"] == pytest.approx(values.mean() + half, abs=0.02)
    assert result["n"] == 400


def test_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    intervals = [bootstrap(rng.random(40) < 0.3, resamples=400, seed=seed) for seed in range(300)]
    covered = np.mean([interval["low"] <= 0.3 <= interval["high"] for interval in intervals])
    assert 0.88 < covered < 0.98


def test_equals_one_resample_at_a_time(monkeypatch):
    values = np.random.default_rng(2).random((9, 2))
    monkeypatch.setattr(module, "_CELLS", 1)
    result = bootstrap(values, ratio_of_sums, resamples=200, seed=3)
    rng = np.random.default_rng(3)
    draws = []
    for _ in range(200):
        over, under = values[rng.integers(9, size=(1, 9))[0]].sum(axis=0)
        draws.append(over / under)
    low, high = np.quantile(draws, (0.025, 0.975))
    assert (result["low"], result["high"]) == pytest.approx((low, high), abs=1e-12)


def test_is_seeded():
    values = np.arange(20.0)
    assert bootstrap(values, seed=1) == bootstrap(values, seed=1)
    assert bootstrap(values, seed=1) != bootstrap(values, seed=2)


def test_constant_cases_have_no_width_and_no_cases_have_no_value():
    assert bootstrap([0.5] * 7) == {"value": 0.5, "low": 0.5, "high": 0.5, "n": 7}
    assert bootstrap([]) == {"value": None, "low": None, "high": None, "n": 0}


def test_resamples_without_a_value_are_left_out():
    result = bootstrap([[1.0, 2.0], [0.0, 0.0]], ratio_of_sums)
    assert result == {"value": 0.5, "low": 0.5, "high": 0.5, "n": 2}


def test_refuses_undefined_cases():
    with pytest.raises(ValueError, match="1 of 3 cases are NaN"):
        bootstrap([1.0, np.nan, 2.0])


def test_wilson_and_poisson_by_hand():
    half = share(5, 10)  # Wilson 1927: centre 1/2, half width z sqrt(1/40 + z^2/400) / (1 + z^2/10)
    assert (half["low"], half["high"]) == pytest.approx((0.23659, 0.76341), abs=1e-5)
    none = rate(0, hours=24)
    assert (none["value"], none["low"], none["high"]) == pytest.approx((0, 0, 3.68888), abs=1e-5)  # -ln(0.025)
    some = rate(10, hours=48)
    assert (some["low"], some["high"]) == pytest.approx((4.79539 / 2, 18.39036 / 2), abs=1e-4)
