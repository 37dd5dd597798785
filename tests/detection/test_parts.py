import numpy as np
import pyarrow as pa
import pytest

from detection._counts import CountScorer
from detection._index import SeriesIndex, mix, text_keys
from detection._scorer import MetricScorer
from detection._signals import number
from detection._state import pack, unpack
from telemetry import CorruptState


def test_rare_count_needs_more_than_one_to_be_extreme():
    scorer = CountScorer()
    scorer.grow(1)
    rows, one = np.array([0]), np.ones(1)
    for i in range(400):
        scorer.update(rows, np.array([1.0 if i % 50 == 0 else 0.0]), one)
    rare = CountScorer()
    rare.load(scorer.arrays())
    assert scorer.update(rows, np.array([1.0]), one).score[0] < 3
    assert rare.update(rows, np.array([9.0]), one).score[0] > 4


def test_failures_are_judged_by_the_number_of_calls():
    scorer = CountScorer()
    scorer.grow(1)
    rng = np.random.default_rng(0)
    rows = np.array([0])
    for _ in range(300):
        scorer.update(rows, np.array([float(rng.binomial(200, 0.01))]), np.array([200.0]))
    many = scorer.update(rows, np.array([20.0]), np.array([2000.0])).score[0]
    few = scorer.update(rows, np.array([20.0]), np.array([50.0])).score[0]
    assert many < 1.5
    assert few > 4


def test_nothing_counted_is_no_score_and_teaches_nothing():
    scorer = CountScorer()
    scorer.grow(1)
    before = scorer.arrays()
    scores = scorer.update(np.array([0]), np.array([0.0]), np.array([0.0]))
    assert np.isnan(scores.score[0])
    assert all(np.array_equal(before[name], array, equal_nan=True) for name, array in scorer.arrays().items())


def test_lasting_small_deviation_shows_in_shift_not_in_score():
    values = np.random.default_rng(1).normal(100, 5, 700)
    values[600:640] += 10
    scorer = MetricScorer()
    scores = [scorer.update(np.array([0]), np.array([value])) for value in values]
    score = np.array([s.score[0] for s in scores])
    shift = np.array([s.shift[0] for s in scores])
    assert score[600:640].max() < 5
    assert shift[610:640].max() > 3
    assert np.nanmax(shift[100:600]) < shift[610:640].max()


def test_fault_does_not_dull_the_detector_for_the_next_one():
    rng = np.random.default_rng(2)
    values = rng.normal(100, 5, 1500)
    for at in (400, 600, 800, 1000, 1200, 1400):
        values[at : at + 30] += 60
    scorer = MetricScorer()
    scores = np.array([scorer.update(np.array([0]), np.array([value])).score[0] for value in values])
    assert (scores[1400:1410] >= 4).all()


def test_series_index_is_stable_bounded_and_survives_a_snapshot():
    index = SeriesIndex(3)
    service, names, keys = text_keys(pa.chunked_array([["b", "a", "b", "c", "d"]]))
    rows = index.rows(keys[service], lambda i: (names[service[i]], "x"))
    assert (rows >= 0).sum() >= 3
    assert len(index) == 3
    assert index.refused == 1
    again = SeriesIndex(3)
    again.load(index.meta(), index.arrays())
    assert np.array_equal(again.rows(keys[service], lambda i: ("", "")), rows)


def test_pairs_of_names_have_keys_of_their_own():
    _, _, keys = text_keys(pa.chunked_array([[f"name{i}" for i in range(300)]]))
    pairs = mix(np.repeat(keys, 300), np.tile(keys, 300))
    assert len(np.unique(pairs)) == 90_000


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (412.3, "412"), (3.14159, "3.14"), (0.00012, "1.20e-04"), (2.5e7, "2.50e+07")]
)
def test_numbers_read_well(value, text):
    assert number(value) == text


def test_packed_state_comes_back_and_is_checked():
    arrays = {"a/b": np.arange(3.0), "c": np.zeros((2, 2))}
    data = pack({"x": [1, "y"]}, arrays)
    meta, back = unpack(data)
    assert meta == {"x": [1, "y"]}
    assert all(np.array_equal(arrays[name], back[name]) for name in arrays)
    assert pack({"x": [1, "y"]}, arrays) == data
    with pytest.raises(CorruptState):
        unpack(data[:-1])
