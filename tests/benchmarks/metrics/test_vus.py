import math

import numpy as np
import pytest
import reference_vus
from drawn import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.metrics import average_precision, vus_pr


@pytest.mark.parametrize("seed", range(40))
def test_equals_the_reference(seed):
    labels, scores = drawn(seed)
    expected = reference_vus.vus_pr(labels.tolist(), scores.tolist(), 11, 25)
    assert vus_pr(labels, scores, window=11, thresholds=25) == pytest.approx(expected, abs=1e-9)


def test_perfect_is_1_and_silence_is_the_share_of_labels():
    labels = np.zeros(300, dtype=bool)
    labels[100:120] = True
    assert vus_pr(labels, labels.astype(float), window=20) == pytest.approx(1)
    assert vus_pr(labels, np.zeros(300), window=0) == pytest.approx(20 / 300)


def test_by_hand():
    """One point labelled of five, length 2: its neighbours have the label sqrt(1/2). The neighbour comes first."""
    labels, scores = [0, 0, 1, 0, 0], [1, 4, 3, 2, 0]
    h = math.sqrt(0.5)
    recalls = [h / (1 + h / 2), 1, 1, 1, 1]
    second = recalls[0] * h + (1 - recalls[0]) * (1 + h) / 2
    first = 1 / 2  # lengths 0 and 1 have no buffer: the label is found second
    assert vus_pr(labels, scores, window=2, thresholds=5) == pytest.approx((first + first + second) / 3, abs=1e-12)


def test_no_buffer_and_all_thresholds_is_average_precision_when_there_is_one_range():
    labels, scores = np.arange(50) // 5 == 4, np.random.default_rng(0).random(50)
    assert vus_pr(labels, scores, window=0, thresholds=50) == pytest.approx(average_precision(labels, scores))


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_depends_on_the_order_of_scores_only(seed):
    labels, scores = drawn(seed)
    assert vus_pr(labels, np.exp(scores) - 7, 9) == pytest.approx(vus_pr(labels, scores, 9), abs=1e-12)
    assert 0 <= vus_pr(labels, scores, 9) <= 1 + 1e-12


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_time_has_no_direction(seed):
    labels, scores = drawn(seed)
    assert vus_pr(labels[::-1], scores[::-1], 9) == pytest.approx(vus_pr(labels, scores, 9), abs=1e-12)


def test_a_near_miss_beats_a_far_one():
    labels = np.zeros(200, dtype=bool)
    labels[100:110] = True
    near, far = np.zeros(200), np.zeros(200)
    near[95:100] = far[30:35] = 1
    assert vus_pr(labels, near, 40) > vus_pr(labels, far, 40)


def test_without_labels_it_is_undefined():
    assert math.isnan(vus_pr(np.zeros(5), np.ones(5)))


def test_a_missing_score_is_the_lowest():
    labels, scores = drawn(7)
    low = np.where(scores == scores.min(), np.nan, scores)
    assert vus_pr(labels, low, 5) == vus_pr(labels, scores, 5)


def test_refuses_unequal_shapes_and_labels_that_are_none():
    with pytest.raises(ValueError, match=r"shape \(2,\), scores \(3,\)"):
        vus_pr([0, 1], [1, 2, 3])
    with pytest.raises(ValueError, match="labels hold"):
        vus_pr([0, 2], [1, 2])
    with pytest.raises(ValueError, match="window -1"):
        vus_pr([0, 1], [1, 2], window=-1)
