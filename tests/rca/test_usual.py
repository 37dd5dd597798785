"""The yardstick: what the ranking says when nothing is known to be wrong."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from rca import Evidence, diagnose, usual_score
from telemetry import WINDOW_METRICS
from tests.rca.cases import evidence, metrics, us

STEP = 60_000_000
POINTS = 180


def fleet(services: int, fault: float = 0.0) -> Evidence:
    """Heavy-tailed noise of many services once a minute; `fault` lifts the last three points of one of them."""
    rng = np.random.default_rng(services)
    values = rng.standard_t(3, (POINTS, services)) + 100.0
    values[-3:, 0] += fault
    times = np.repeat(np.arange(POINTS) * STEP, services)
    names = [f"s{i:03d}" for i in range(services)] * POINTS
    rows = pa.table([us(times), names, ["cpu_utilization"] * len(names), values.ravel()], WINDOW_METRICS.names)
    return Evidence(rows.cast(WINDOW_METRICS), onset=(POINTS - 3) * STEP, until=POINTS * STEP)


def test_the_more_services_the_more_suspicious_is_the_first_of_them():
    few, many = usual_score(fleet(4)), usual_score(fleet(200))
    assert 0 <= few < many


def test_a_fault_stands_out_from_what_is_usual_and_noise_does_not():
    faulty, calm = fleet(60, fault=60.0), fleet(60)
    assert diagnose(faulty).suspects[0].score > 2 * usual_score(faulty)
    assert diagnose(calm).suspects[0].score < 2 * usual_score(calm)


def test_it_comes_from_the_past_alone():
    case = fleet(20)
    recent = pc.greater(case.metrics["time"], us([case.onset - STEP])[0])
    wild = pc.if_else(recent, 1e6, case.metrics["value"])
    assert usual_score(replace(case, metrics=case.metrics.set_column(3, "value", wild))) == usual_score(case)


def test_the_order_of_rows_does_not_matter():
    case = fleet(20)
    mixed = case.metrics.take(np.random.default_rng(1).permutation(case.metrics.num_rows))
    assert usual_score(replace(case, metrics=mixed)) == usual_score(case)


def test_an_earlier_incident_does_not_become_usual():
    case = fleet(20)
    at = case.metrics["time"].cast(pa.int64()).to_numpy() // STEP
    hit = (at >= 120) & (at < 125) & (np.array(case.metrics["service"].to_pylist()) == "s003")
    value = pa.array(case.metrics["value"].to_numpy() + 1000.0 * hit)
    assert usual_score(replace(case, metrics=case.metrics.set_column(3, "value", value))) < 2 * usual_score(case)


def test_without_history_nothing_is_usual():
    case = evidence(metrics=metrics())
    begun = int(pc.min(case.metrics["time"].cast(pa.int64())).as_py())
    assert usual_score(replace(case, onset=begun)) == 0.0
    assert usual_score(Evidence(onset=5, until=9)) == 0.0


def test_it_needs_an_onset():
    with pytest.raises(ValueError, match="no onset"):
        usual_score(replace(fleet(4), onset=None))
