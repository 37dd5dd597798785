import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detection import DETECT_THRESHOLD, DETECTED, WARM_UP, score_matrix, score_series

cells = st.one_of(st.just(np.nan), st.floats(-1e12, 1e12), st.sampled_from([0.0, 1.0, -1.0, 1e300, -1e300]))


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(0, 60), st.integers(1, 4)), elements=cells))
def test_any_input_gives_finite_scores_where_there_are_values(values):
    scores = score_matrix(values)
    assert (np.isnan(scores) == np.isnan(values)).all()
    assert (scores[np.isfinite(values)] >= 0).all()


def test_table_has_one_row_a_cell_in_order():
    values = np.arange(12.0).reshape(4, 3)
    values[2, 1] = np.nan
    table = score_series(["t0", "t1", "t2", "t3"], ["a", "b", "c"], values)
    assert table.schema.equals(DETECTED)
    assert table["series"].to_pylist() == ["a", "b", "c"] * 4
    assert table["time"].to_pylist() == [t for t in ("t0", "t1", "t2", "t3") for _ in range(3)]
    assert table["score"].to_pylist()[7] is None
    assert table["anomaly"].to_pylist()[7] == 0


def test_anomaly_is_score_at_or_above_threshold():
    values = np.random.default_rng(0).normal(10, 1, (400, 1))
    values[350:353] = 40
    table = score_series([str(i) for i in range(400)], ["x"], values).to_pylist()
    assert all(row["anomaly"] == (row["score"] >= row["threshold"] == DETECT_THRESHOLD) for row in table)
    assert [i for i, row in enumerate(table) if row["anomaly"]] == [350, 351, 352]


def test_young_series_are_not_judged():
    values = np.random.default_rng(0).normal(10, 1, (WARM_UP, 1))
    values[WARM_UP - 1] = 1000
    assert (score_matrix(values) == 0).all()


def test_counter_is_judged_by_its_growth():
    steady = np.cumsum(np.random.default_rng(0).poisson(20, 400)).astype(float)[:, None]
    assert (score_matrix(steady) < DETECT_THRESHOLD).all()
    steady[300:] += 400
    scores = score_matrix(steady)[:, 0]
    assert scores[300] >= DETECT_THRESHOLD
    assert (scores[301:] < DETECT_THRESHOLD).all()


def test_quantised_series_with_rare_steps_is_no_stream_of_alarms():
    rng = np.random.default_rng(0)
    values = np.where(rng.random((2000, 1)) < 0.05, 1.5, 0.5)
    assert (score_matrix(values)[200:] >= DETECT_THRESHOLD).mean() < 0.005
