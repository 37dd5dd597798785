"""Charts are plain options that show what the tables say."""

import json

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from dashboard import _charts as charts

MINUTE = 60_000


@given(st.integers(0, 99_999), st.integers(0, 2**32 - 1))
def test_a_spike_of_one_point_survives_thinning(at: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=100_000)
    values[at] = 50.0
    times, kept = charts.thin(np.arange(100_000, dtype=np.int64), values)
    assert len(kept) <= charts.SERIES_POINTS
    assert kept.max() == 50.0
    assert times[kept.argmax()] == at


def test_short_series_are_left_alone() -> None:
    times, values = np.arange(5), np.arange(5.0)
    assert charts.thin(times, values)[1] is values


def test_steps_without_rows_are_zero_and_rows_outside_are_left_out() -> None:
    table = pa.table({"t": [2 * MINUTE, 4 * MINUTE, 99 * MINUTE], "error": pa.array([3, None, 7], pa.int64())})
    times, values = charts.filled(table, ["error"], since=MINUTE + 5, until=5 * MINUTE, step=MINUTE)
    assert (times // MINUTE).tolist() == [1, 2, 3, 4]
    assert values[:, 0].tolist() == [0, 3, 0, 0]


def test_options_are_json_and_mark_the_onset() -> None:
    series = pa.table({"t": [0, MINUTE], "value": [1.0, 2.0]})
    line = charts.line(series, 0, MINUTE, onset=30_000, expected=1.5, colour=charts.BLUE)
    marks = json.loads(json.dumps(line))["series"][0]["markLine"]["data"]
    assert marks[0] == {"xAxis": 30_000}
    assert marks[1]["yAxis"] == 1.5


def test_anomalies_spread_from_the_service_that_was_first() -> None:
    odd = pa.table(
        {
            "t": [1, 2, 3],
            "service": ["cart", "web", "cart"],
            "kind": ["metric", "log", "span"],
            "name": ["cpu", "x timed out", "p95"],
            "ratio": [1.0, 4.0, None],
        }
    )
    option = charts.spread(odd, 0, 10, onset=1)
    assert option["yAxis"]["data"] == ["cart", "web"]
    sizes = {series["name"]: [dot["symbolSize"] for dot in series["data"]] for series in option["series"]}
    assert sizes["log"][0] > sizes["metric"][0] == sizes["span"][0]


def test_the_graph_sorts_services_and_shows_roles() -> None:
    places = {"web": (0.0, 0.5), "cart": (1.0, 0.5), "db": (1.0, 0.9)}
    calls = [
        {"caller": "web", "callee": "cart", "count": 10, "errors": 9},
        {"caller": "cart", "callee": "gone", "count": 1, "errors": 0},
    ]
    suspects = [{"service": "cart", "role": "root_cause", "share": 0.8}]
    graph = charts.call_graph(places, calls, suspects, dark=False)["series"][0]
    nodes = {node["name"]: node for node in graph["data"]}
    assert list(nodes) == ["cart", "db", "web"]
    assert nodes["cart"]["itemStyle"]["color"] == charts.ROLE_COLOURS["root_cause"]
    assert nodes["cart"]["symbolSize"] > nodes["web"]["symbolSize"]
    assert [(link["source"], link["target"]) for link in graph["links"]] == [("web", "cart")]
    assert graph["links"][0]["lineStyle"]["color"] == charts.RED
