import math

import numpy as np
import pytest
import reference_points
from drawn import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.metrics import (
    AlertCount,
    average_precision,
    best_event_score,
    classes,
    count_alerts,
    event_score,
    window_mask,
)

seeds = st.integers(0, 10_000)


@pytest.mark.parametrize("seed", range(30))
def test_equal_the_references(seed):
    labels, scores = drawn(seed)
    plain = labels.tolist(), scores.tolist()
    assert average_precision(labels, scores) == pytest.approx(reference_points.average_precision(*plain), abs=1e-12)
    assert event_score(labels, scores > 1).f1 == pytest.approx(
        reference_points.event_f1(plain[0], (scores > 1).tolist()), abs=1e-12
    )
    best, threshold = best_event_score(labels, scores)
    assert best.f1 == pytest.approx(reference_points.best_event_f1(*plain), abs=1e-12)
    assert event_score(labels, scores >= threshold) == best


def test_average_precision_by_hand():
    assert average_precision([1, 0, 1, 0], [4, 3, 2, 1]) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision([1, 0, 0, 0], [1, 1, 1, 1]) == pytest.approx(1 / 4)
    assert average_precision([1, 1, 0], [2, 1, 0]) == 1
    assert math.isnan(average_precision([0, 0], [1, 2]))


def test_flagging_everything_earns_the_share_of_labels_as_precision():
    labels = np.arange(100) >= 95
    everything = event_score(labels, np.ones(100, dtype=bool))
    assert (everything.precision, everything.recall) == (0.05, 1)
    assert best_event_score(labels, np.zeros(100))[0] == everything


def test_events_by_hand():
    labels = [0, 1, 1, 0, 0, 1, 0, 0]
    score = event_score(labels, [1, 0, 1, 0, 0, 0, 0, 1])
    assert (score.precision, score.recall) == (1 / 3, 1 / 2)
    assert score.f1 == pytest.approx(2 / 5)
    silent = event_score(labels, np.zeros(8, dtype=bool))
    assert (silent.precision, silent.recall, silent.f1) == (0, 0, 0)
    assert math.isnan(event_score([0, 0], [True, False]).recall)
    assert best_event_score(labels, np.full(8, np.nan))[1] == math.inf


@settings(deadline=None)
@given(seeds)
def test_best_event_score_ignores_the_scale_of_scores(seed):
    labels, scores = drawn(seed)
    assert best_event_score(labels, np.exp(scores))[0] == best_event_score(labels, scores)[0]


@settings(deadline=None)
@given(seeds)
def test_alerts_equal_the_reference(seed):
    rng = np.random.default_rng(seed)
    seconds = np.cumsum(rng.integers(1, 1500, size=60))
    flagged, counted = rng.random((2, 60)) < 0.4
    times = np.datetime64("2024-01-01", "s") + seconds
    starts = reference_points.alert_starts(seconds.tolist(), flagged.tolist(), 1800)
    result = count_alerts(times, flagged, counted)
    assert result.alerts == sum(counted[i] for i in starts)
    assert result.days == pytest.approx(counted.sum() * np.median(np.diff(seconds)) / 86_400)


def test_alerts_by_hand():
    times = np.datetime64("2024-01-01", "s") + 600 * np.arange(144)  # one day in ten-minute steps
    flagged = np.zeros(144, dtype=bool)
    flagged[[10, 11, 13, 16, 100]] = True  # 16 is half an hour after 13: a new alert
    everywhere = np.ones(144, dtype=bool)
    assert count_alerts(times, flagged, everywhere) == AlertCount(alerts=3, days=1.0)
    outside = ~window_mask(144, [[9, 12]])
    assert count_alerts(times, flagged, outside).alerts == 2
    assert count_alerts(times, ~everywhere, everywhere).alerts == 0
    with pytest.raises(ValueError, match="time goes back after point 0"):
        count_alerts(times[::-1], flagged, everywhere)
    with pytest.raises(ValueError, match="expected one"):
        count_alerts(times[:5], flagged, everywhere)


def test_classes_by_hand():
    result = classes([1, 1, 1, 0, 0], [1, 1, 0, 1, 0])
    assert (result.tp, result.fp, result.fn, result.tn) == (2, 1, 1, 1)
    assert (result.precision, result.recall, result.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    nobody = classes([1, 0], [0, 0])
    assert (nobody.precision, nobody.recall, nobody.f1) == (0, 0, 0)
    with pytest.raises(ValueError, match="expected the same"):
        classes([1], [1, 0])


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_classes_count_every_answer_once(rows):
    truth, predicted = zip(*rows, strict=True)
    result = classes(truth, predicted)
    assert result.tp + result.fp + result.fn + result.tn == len(rows)
    assert result.tp == sum(a and b for a, b in rows)
    assert result.fp == sum(b and not a for a, b in rows)


def test_window_mask():
    assert window_mask(6, [[1, 2], [5, 5]]).tolist() == [False, True, True, False, False, True]
    assert not window_mask(3, []).any()
