"""Counters: detection sees how fast they count, whatever the range that is read at a time."""

import random

import numpy as np
import pyarrow as pa
import pytest

import telemetry
from detection import Detector
from faultline.counters import COLUMNS, GAP_US, rates
from faultline.windows import Rows, cut

S = 1_000_000
SCHEMA = pa.schema([telemetry.METRICS.field(name) for name in COLUMNS])


def points(values: dict[int, float], metric: str = "http_total", **labels: str) -> list[dict]:
    """Points of one series by second."""
    common = {"service": "web", "metric": metric, "attributes": list(labels.items())}
    return [{**common, "time": second * S, "value": value} for second, value in values.items()]


def found(given: list[dict], start: int = 0) -> list[tuple[int, float]]:
    random.Random(1).shuffle(given)
    table = rates(pa.Table.from_pylist(given, SCHEMA), start * S).sort_by("time")
    return [(row["time"].timestamp(), row["value"]) for row in table.to_pylist()]


def test_growth_a_second_and_a_reset():
    assert found(points({10: 100, 20: 150, 40: 250, 50: 30, 60: 30})) == [(20, 5), (40, 5), (50, 3), (60, 0)]


def test_series_of_one_moment_are_added_up_and_others_are_not():
    both = points({10: 0, 20: 10}, route="a") + points({10: 5, 20: 35}, route="b", code="200")
    assert found(both + points({13: 7, 23: 107}, host="other")) == [(20, 4), (23, 10)]


def test_a_first_point_and_one_after_a_long_silence_say_nothing():
    gap = GAP_US // S
    assert found(points({0: 1, gap: 601, 2 * gap + 1: 9_000})) == [(gap, 2)]


def test_of_two_points_of_one_moment_the_higher_counts_and_buckets_do_not():
    doubled = points({10: 10, 20: 20}) + points({20: 30}) + points({10: 1, 20: 2}, "took_bucket", le="1")
    assert found(doubled) == [(20, 2)]


@pytest.mark.parametrize("chunk", [1, 3, 60])
def test_windows_do_not_depend_on_how_many_are_cut_at_a_time(chunk: int):
    rng = random.Random(2)
    given, value = [], 0
    for second in range(0, 600, 7):
        value = 0 if rng.random() < 0.05 else value + rng.randrange(100)
        given += points({second: value}, route="a") + points({second + rng.randrange(2): 3 * value}, route="b")
    table = pa.Table.from_pylist(given, SCHEMA)
    whole = _values(table, 0, 600)
    assert len(whole) > 40
    parts = [value for start in range(0, 600, 10 * chunk) for value in _values(table, start, start + 10 * chunk)]
    assert parts[: len(whole)] == whole


def _values(table: pa.Table, start: int, end: int) -> list[tuple]:
    times = table["time"].cast(pa.int64()).to_numpy()
    seen = table.filter(pa.array((times >= start * S - GAP_US) & (times < end * S)))
    none = (telemetry.WINDOW_LOGS.empty_table(), telemetry.WINDOW_METRICS.empty_table(), telemetry.SPANS.empty_table())
    windows = cut(Rows(*none, seen), start * S, end * S, 10 * S, {})
    return [(w.start, row["time"], row["value"]) for w, _ in windows for row in w.metrics.to_pylist()]


def test_a_counter_that_grows_is_no_anomaly_and_one_that_stalls_is():
    rng = np.random.default_rng(3)
    grown = np.cumsum(rng.poisson(500, 240))
    grown[200:] = grown[200]
    given = points({10 * n: float(value) for n, value in enumerate(grown)})
    none = (telemetry.WINDOW_LOGS.empty_table(), telemetry.WINDOW_METRICS.empty_table(), telemetry.SPANS.empty_table())
    detector, odd = Detector(), []
    for window, _ in cut(Rows(*none, pa.Table.from_pylist(given, SCHEMA)), 0, 2400 * S, 10 * S, {}):
        anomalies = detector.update(window).to_pylist()
        odd += [window.start // (10 * S) for row in anomalies if row["signal"] == "http_total"]
    assert odd
    assert min(odd) in range(201, 206)
