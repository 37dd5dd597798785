import itertools
import math

import numpy as np
import pytest
import reference_pate
from drawn import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.metrics import _pate as module
from benchmarks.metrics import pate


@pytest.mark.parametrize("seed", range(30))
def test_equals_the_reference(seed):
    labels, scores = drawn(seed, longest=50)
    scores = scores + np.random.default_rng(seed).random(len(scores)) * 1e-6  # no ties
    for early, late in ((7, 3), (0, 20)):
        expected = reference_pate.pate(labels.tolist(), scores.tolist(), early, late)
        assert pate(labels, scores, early, late) == pytest.approx(expected, abs=1e-9)


def test_blocks_of_any_size_give_the_same(monkeypatch):
    labels, scores = drawn(11)
    whole = pate(labels, scores, 10, 10)
    monkeypatch.setattr(module, "_CELLS", 1)
    assert pate(labels, scores, 10, 10) == pytest.approx(whole, abs=1e-12)


def test_perfect_is_1_whatever_the_seed():
    labels = np.zeros(400, dtype=bool)
    labels[100:130] = labels[300:305] = True
    for seed in range(5):
        assert pate(labels, labels.astype(float), 20, 20, seed=seed) == pytest.approx(1)


def test_by_hand():
    """One point labelled of three; the point behind it comes first, and a post-buffer of 1 point ends on it: w = 0."""
    # TP and recall: 0 at the first, 1 after it; precision 0, 1/2, 1/3 whatever the buffers; the curve starts at (0, 1)
    assert pate([0, 1, 0], [1.0, 2.0, 3.0], 1, 1) == pytest.approx((0 + 1 / 2) / 2)
    # a post-buffer of 2: w = 1 - 1/2 at the first, so TP 1/2, FN 1; then TP 3/2, FN 0 of 2 points
    curve = [(0, 1), (1 / 3, 1 / 2), (1, 3 / 4)]
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(curve))
    assert pate([0, 1, 0, 0], [1.0, 3.0, 4.0, 0.0], 0, 2) == pytest.approx((area + 1 / 4) / 2)


def test_a_constant_is_no_better_than_random():
    rng = np.random.default_rng(0)
    labels = np.zeros(2000, dtype=bool)
    labels[500:550] = labels[1500:1550] = True
    constant = [pate(labels, np.zeros(2000), 50, 50, seed=seed) for seed in range(20)]
    random = [pate(labels, rng.random(2000), 50, 50) for _ in range(20)]
    assert np.mean(constant) == pytest.approx(np.mean(random), abs=0.02)
    assert max(constant) < 0.15


def test_one_hit_an_event_gains_nothing_from_ties():
    labels = np.zeros(1000, dtype=bool)
    labels[200:225] = labels[700:725] = True
    scores = np.zeros(1000)
    scores[[200, 700]] = 1
    assert pate(labels, scores, 20, 20) < 0.2


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_depends_on_the_order_of_scores_only_and_repeats(seed):
    labels, scores = drawn(seed)
    value = pate(labels, scores, 9, 4, seed=seed)
    assert pate(labels, np.exp(scores) - 7, 9, 4, seed=seed) == value
    assert 0 <= value <= 1 + 1e-12


def test_without_labels_it_is_undefined():
    assert math.isnan(pate(np.zeros(5), np.ones(5)))
    with pytest.raises(ValueError, match="buffers of -1"):
        pate([0, 1], [1, 2], early=-1)
