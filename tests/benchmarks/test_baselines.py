"""The peers do what their descriptions say."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.baselines import drain, ranking, series
from rca import Evidence
from telemetry import WINDOW_METRICS, UsageError


def evidence(columns: dict[str, list[float]], onset: int | None, normal: pa.Table | None = None) -> Evidence:
    return Evidence(metrics=table(columns), onset=onset, normal=normal)


def table(columns: dict[str, list[float]]) -> pa.Table:
    rows = [(t, *name.split("_"), v) for name, values in columns.items() for t, v in enumerate(values)]
    arrays = {
        "time": pa.array([t * 1_000_000 for t, *_ in rows])
        .cast(pa.timestamp("us"))
        .cast(WINDOW_METRICS.field("time").type),
        "service": [s for _, s, _, _ in rows],
        "metric": [m for _, _, m, _ in rows],
        "value": [float(v) for *_, v in rows],
    }
    return pa.table([pa.array(arrays[f.name], f.type) for f in WINDOW_METRICS], schema=WINDOW_METRICS)


def test_nsigma_and_robust_by_hand():
    columns = {"a_cpu": [1, 2, 3, 4, 5, 13, 3], "b_cpu": [8, 8, 8, 8, 8, 9, 7], "c_cpu": [0, 0, 0, 0, 0, 9, 9]}
    found = evidence(columns, onset=5_000_000)
    assert {s: v for s, _, v in ranking.nsigma(found)} == {"a": pytest.approx(10 / 2**0.5), "b": 0, "c": 0}
    assert {s: v for s, _, v in ranking.robust(found)} == {"a": 5.0, "b": pytest.approx(1 / 0.08), "c": 0}


def test_baro_by_hand():
    """Only a rise counts; no spread is a spread of 1; what is constant before or after is not ranked; memory in MB."""
    columns = {
        "a_cpu": [1, 2, 3, 4, 5, 13, 3],
        "b_cpu": [1, 2, 3, 4, 5, -99, 3],
        "c_cpu": [7, 7, 7, 7, 7, 99, 98],
        "d_cpu": [1, 2, 3, 4, 5, 99, 99],
        "e_cpu": [7, 7, 7, 7, 8, 9, 10],
        "f_mem": [1e6, 2e6, 3e6, 4e6, 5e6, 13.5e6, 3e6],
    }
    found = {service: score for service, _, score in ranking.baro(evidence(columns, onset=5_000_000))}
    assert found == {"a": 5.0, "b": 0.0, "e": 3.0, "f": 5.0}


def test_rows_of_normal_operation_join_the_reference():
    normal = table({"a_cpu": [11, 12, 13, 14, 15], "other_cpu": [1, 1, 1, 1, 1]})
    found = evidence({"a_cpu": [23]}, onset=0, normal=normal)
    assert ranking.robust(found) == [("a", "cpu", 5.0)]


def test_without_an_onset_all_rows_are_reference():
    values = [0, 0, 0, 0, 10]
    score = (10 - np.mean(values)) / np.std(values)
    assert ranking.nsigma(evidence({"a_cpu": values}, onset=None)) == [("a", "cpu", pytest.approx(score))]


def test_granger_equals_statsmodels():
    from statsmodels.tsa.stattools import grangercausalitytests

    rng = np.random.default_rng(3)
    z = rng.normal(size=(200, 4))
    z[1:, 1] += 0.3 * z[:-1, 0]
    z[2:, 2] += 0.2 * z[:-2, 3]
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    p = ranking._granger(z)
    for i in range(4):
        for j in range(4):
            if i != j:
                tests = grangercausalitytests(z[:, [j, i]], 3)
                best = min(found[0]["ssr_ftest"][1] for found in tests.values())
                assert p[i, j] == pytest.approx(min(best * 3, 1.0), abs=1e-6)


def test_granger_pagerank_blames_what_leads():
    noise = np.random.default_rng(1).normal(size=(400, 3))
    lead = noise[:, 0]
    one, two = lead[1:-1] + noise[2:, 1] / 2, lead[:-2] + noise[2:, 2] / 2
    columns = {"lead_x": lead[2:].tolist(), "one_x": one.tolist(), "two_x": two.tolist()}
    scores = {service: score for service, _, score in ranking.granger_pagerank(evidence(columns, 200_000_000))}
    assert max(scores, key=scores.__getitem__) == "lead"


DETECTORS = (series.nsigma, series.ewma, series.knn, series.random, series.constant)


@pytest.mark.parametrize("detector", DETECTORS)
@settings(max_examples=5, deadline=None)
@given(cut=st.integers(300, 590), seed=st.integers(0, 5))
def test_no_detector_looks_ahead(detector, cut: int, seed: int):
    values = np.random.default_rng(seed).normal(size=600)
    changed = values.copy()
    changed[cut:] += 100
    before, after = detector(values, 1)[0][:cut], detector(changed, 1)[0][:cut]
    assert np.array_equal(before, after, equal_nan=True)


@pytest.mark.parametrize("detector", DETECTORS[:3])
def test_detectors_see_a_spike(detector):
    values = np.random.default_rng(0).normal(size=700)
    values[650] = 60
    scores, threshold = detector(values, 0)
    assert scores[650] >= threshold
    assert np.nanmean(scores[:650] >= threshold) < 0.05


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_series_may_be_short_or_constant(detector):
    for values in (np.zeros(3), np.full(400, 7.0)):
        scores, _ = detector(values, 0)
        assert scores.shape == values.shape
        assert not np.isinf(scores).any()


def test_drain3_masks():
    lines = [f"from 10.0.0.{i} port {i} id 0x{i:x}f took {i} ms" for i in range(10)]
    assert set(drain.drain3_masked(lines, False)) == {"from <*> port <*> id <*> took <*> ms"}
    assert drain.drain3_default(lines, False) == ["from <*> port <*> id <*> took <*> ms"] * 10


def test_another_drain3_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(drain, "version", lambda name: "0.9.9")
    with pytest.raises(UsageError, match=r"0\.9\.9 is installed"):
        drain.miner(masked=True)
