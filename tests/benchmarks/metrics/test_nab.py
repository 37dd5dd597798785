import math

import numpy as np
import pytest
import reference_nab

from benchmarks.metrics import NAB_PROFILES, NabSeries, bootstrap, nab, probation_length, ratio_of_sums, window_indices

STANDARD = NAB_PROFILES["standard"]


def corpus(seed, files=4):
    rng = np.random.default_rng(seed)
    return [one(rng) for _ in range(files)]


def one(rng):
    n = int(rng.integers(10, 150))
    edges = np.sort(rng.choice(n, 2 * int(rng.integers(0, 4)), replace=False))
    windows = edges.reshape(-1, 2)
    if rng.random() < 0.3:
        windows[:, 1] = windows[:, 0]  # windows of one point
    scores = rng.random(n)
    if rng.random() < 0.5:
        scores = np.round(scores, 1)
    scores[rng.random(n) < 0.1] = np.nan
    return NabSeries(scores, windows)


def plain(series):
    return [(one.scores.tolist(), one.windows.tolist()) for one in series]


@pytest.mark.parametrize("profile", NAB_PROFILES.values(), ids=NAB_PROFILES)
@pytest.mark.parametrize("seed", range(8))
def test_equals_the_reference(seed, profile):
    series = corpus(seed)
    weights = profile.tp, profile.fp, profile.fn
    best = nab(series, profile)
    assert best.score == pytest.approx(reference_nab.best_score(plain(series), *weights), abs=1e-9)
    assert best.score == pytest.approx(reference_nab.corpus_score(plain(series), *weights, best.threshold), abs=1e-9)
    for threshold in (0.2, 0.5, 0.95):
        expected = reference_nab.corpus_score(plain(series), *weights, threshold)
        assert nab(series, profile, threshold).score == pytest.approx(expected, abs=1e-9)


def detector(n, windows, alerts):
    scores = np.zeros(n)
    scores[alerts] = 1.0
    return NabSeries(scores, windows)


def test_perfect_is_100_and_silence_is_0():
    for profile in NAB_PROFILES.values():
        assert nab([detector(200, [[50, 69], [120, 139]], [50, 120])], profile).score == pytest.approx(100)
        assert nab([detector(200, [[50, 69]], [])], profile, threshold=0.5).score == 0
        silent = nab([detector(200, [[50, 69]], [])], profile)
        assert (silent.score, silent.threshold) == (0, math.inf)


@pytest.mark.parametrize("unscored", [np.nan, [np.nan] * 200, [0.5] * 30 + [np.nan] * 170])
def test_no_score_at_all_is_silence(unscored):
    """The last: scores in the probation only."""
    nothing = NabSeries(np.full(200, unscored), [[50, 69]])
    assert (nab([nothing], STANDARD).score, nab([nothing], STANDARD).threshold) == (0, math.inf)
    assert nab([nothing], STANDARD, threshold=0.1).score == 0
    half = nab([nothing, detector(200, [[50, 69]], [50])], STANDARD)
    assert half.score == pytest.approx(50)


def test_by_hand():
    """One window of 10 points at 50..59: found in the middle, one false alert before it, one 3 and one 30 behind."""

    def sigma(y):
        return 2 / (1 + math.exp(5 * y)) - 1

    found = sigma(-5 / 10) / sigma(-1)
    raw = found + 0.11 * (-1 + sigma(3 / 9) - 1)
    score = nab([detector(200, [[50, 59]], [40, 55, 57, 62, 89])], STANDARD, 0.5).score
    assert score == pytest.approx(100 * (raw + 1) / 2, abs=1e-12)


def test_published_constants():
    # 2 sigmoid(5) - 1 and 2 sigmoid(2.5) - 1, as the paper's figure gives them
    late = nab([detector(100, [[50, 59]], [55])], STANDARD, 0.5).score
    assert late == pytest.approx(100 * (0.84828 / 0.98661 + 1) / 2, abs=1e-3)
    assert [(p.tp, p.fp, p.fn) for p in NAB_PROFILES.values()] == [(1, 0.11, 1), (1, 0.22, 1), (1, 0.11, 2)]


def test_probation_is_15_percent_up_to_750_points():
    assert [probation_length(n) for n in (10, 100, 4032, 5000, 22695)] == [1, 15, 604, 750, 750]
    quiet = nab([detector(200, [[50, 59]], [29, 50])], STANDARD, 0.5)
    assert quiet.score == pytest.approx(100)  # point 29 is in probation
    assert nab([detector(200, [[50, 59]], [30, 50])], STANDARD, 0.5).score < 100


def test_earlier_is_better_and_an_alert_behind_a_window_is_forgiven():
    scores = [nab([detector(200, [[50, 69]], [at])], STANDARD, 0.5).score for at in range(50, 70)]
    assert scores == sorted(scores, reverse=True)
    behind = [nab([detector(200, [[50, 69]], [50, at])], STANDARD, 0.5).score for at in (70, 80, 127, 199)]
    assert behind == sorted(behind, reverse=True)
    assert behind[-1] == pytest.approx(100 * (2 - 0.11) / 2)


def test_one_threshold_serves_all_series():
    loud = NabSeries(np.where(np.arange(100) == 50, 0.9, 0.5), [[50, 59]])
    soft = NabSeries(np.where(np.arange(100) == 50, 0.4, 0.1), [[50, 59]])
    assert nab([loud, soft], STANDARD).score == pytest.approx(50)


def test_score_depends_on_the_order_of_scores_only():
    series = corpus(3)
    warped = [NabSeries(np.exp(3 * one.scores), one.windows) for one in series]
    assert nab(warped, STANDARD).score == pytest.approx(nab(series, STANDARD).score, abs=1e-12)


def test_order_of_series_does_not_matter():
    series = corpus(4)
    assert nab(series[::-1], STANDARD).score == pytest.approx(nab(series, STANDARD).score, abs=1e-12)


def test_parts_give_the_interval():
    result = nab(corpus(5, files=12), STANDARD)
    interval = bootstrap(result.parts, lambda x: 100 * ratio_of_sums(x))
    assert interval["value"] == pytest.approx(result.score)
    assert interval["low"] < result.score < interval["high"]


def test_windows_are_found_by_time():
    times = ["2024-01-01 00:00:00", "2024-01-01 00:05:00", "2024-01-01 00:05:00", "2024-01-01 00:10:00"]
    windows = [["2024-01-01 00:05:00.000000", "2024-01-01 00:10:00.000000"]]
    assert window_indices(times, windows).tolist() == [[1, 3]]
    assert window_indices(times, []).shape == (0, 2)
    assert window_indices([5, 10, 15], [[10, 15]]).tolist() == [[1, 2]]
    with pytest.raises(ValueError, match="no point at 2025"):
        window_indices(times, [["2024-01-01 00:05:00", "2025-01-01 00:00:00"]])


def test_refuses_what_cannot_be_scored():
    with pytest.raises(ValueError, match="no window to find"):
        nab([NabSeries(np.ones(50), [])], STANDARD)
    with pytest.raises(ValueError, match="overlap"):
        nab([NabSeries(np.ones(50), [[10, 20], [20, 30]])], STANDARD)
    with pytest.raises(ValueError, match="do not fit 50 points"):
        nab([NabSeries(np.ones(50), [[40, 50]])], STANDARD)
