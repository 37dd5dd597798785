import numpy as np
import pytest
import reference_points
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.metrics import ac_at, avg_at, by_service, true_ranks

names = st.lists(st.text("abcdef", min_size=1, max_size=3), min_size=1, max_size=12, unique=True)


@settings(deadline=None)
@given(names, st.data())
def test_ac_equals_the_reference(services, data):
    scores = data.draw(st.permutations(range(len(services))))
    truth = data.draw(st.sets(st.sampled_from([*services, "elsewhere"]), min_size=1))
    ranked = [name for _, name in sorted(zip(scores, services, strict=True), reverse=True)]
    ranks = [true_ranks(services, np.array(scores, dtype=float), truth, seed=0)]
    for k in (1, 3, 5):
        assert ac_at(ranks, k)[0] == pytest.approx(reference_points.ac_at(ranked, truth, k))
    mean = np.mean([reference_points.ac_at(ranked, truth, k) for k in range(1, 6)])
    assert avg_at(ranks, 5)[0] == pytest.approx(mean)


def test_by_hand():
    ranks = [true_ranks(["a", "b", "c"], [1, 3, 2], {cause}, seed=0) for cause in "abc"]
    assert np.concatenate(ranks).tolist() == [3, 1, 2]
    assert [ac_at(ranks, k).mean() for k in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 1])
    assert avg_at(ranks, 3).mean() == pytest.approx(2 / 3)


def test_two_causes_count_half_each():
    ranks = [true_ranks(["a", "b", "c"], [3, 2, 1], {"a", "c"}, seed=0)]
    assert [ac_at(ranks, k)[0] for k in (1, 2, 3)] == [1, 0.5, 1]


def test_perfect_is_1_and_not_ranked_is_0():
    assert ac_at([true_ranks(["a", "b"], [2, 1], {"a"}, seed=0)], 1).mean() == 1
    assert ac_at([true_ranks(["a", "b"], [2, 1], {"z"}, seed=0)], 5).mean() == 0


def test_ties_are_broken_at_random_and_seeded():
    services = [f"s{i}" for i in range(10)]
    ranks = [true_ranks(services, np.zeros(10), {"s0"}, seed=seed) for seed in range(2000)]
    assert ac_at(ranks, 1).mean() == pytest.approx(0.1, abs=0.03)
    assert ac_at(ranks, 3).mean() == pytest.approx(0.3, abs=0.04)
    assert (true_ranks(services, np.zeros(10), {"s0"}, seed=5) == ranks[5]).all()


@settings(deadline=None)
@given(names, st.integers(0, 99), st.randoms(use_true_random=False))
def test_order_of_names_does_not_matter_even_among_ties(services, seed, random):
    scores = {name: float(len(name)) for name in services}
    mixed = random.sample(services, len(services))
    first = true_ranks(services, [scores[name] for name in services], {services[0]}, seed)
    assert (first == true_ranks(mixed, [scores[name] for name in mixed], {services[0]}, seed)).all()


def test_nan_ranks_last():
    assert true_ranks(["a", "b", "c"], [np.nan, -1, -2], {"a"}, seed=0).tolist() == [3]


def test_a_service_has_the_score_of_its_worst_signal():
    services, scores = by_service(["web", "db", "web", "idle"], [1, 5, 7, np.nan])
    assert services == ["db", "idle", "web"]
    np.testing.assert_array_equal(scores, [5, np.nan, 7])


def test_refuses_what_cannot_be_ranked():
    with pytest.raises(ValueError, match="2 names, 1 of them distinct"):
        true_ranks(["a", "a"], [1, 2], {"a"}, seed=0)
    with pytest.raises(ValueError, match="no true cause"):
        true_ranks(["a"], [1], set(), seed=0)
    with pytest.raises(ValueError, match="k is 0"):
        ac_at([np.array([1.0])], 0)
