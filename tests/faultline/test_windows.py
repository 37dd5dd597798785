"""Windows: cutting a range of rows must equal looking at each window on its own."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

import telemetry
from faultline.counters import COLUMNS
from faultline.windows import Rows, count_logs, cut, read_counts
from storage import Move, Store
from telemetry import Partition

S = 1_000_000
SPAN_COLUMNS = ["time", "duration_us", "trace_id", "span_id", "parent_span_id", "service", "operation", "status"]
SPAN_SCHEMA = pa.schema([telemetry.SPANS.field(name) for name in SPAN_COLUMNS])
COUNTER_SCHEMA = pa.schema([telemetry.METRICS.field(name) for name in COLUMNS])
LOG_SCHEMA = pa.schema([telemetry.LOGS.field(n) for n in ("time", "service", "template_id", "severity_number")])


def rows(logs: list[dict] = (), metrics: list[dict] = (), spans: list[dict] = (), counters: list[dict] = ()) -> Rows:
    return Rows(
        count_logs(pa.Table.from_pylist(list(logs), LOG_SCHEMA), 0, 10 * S),
        pa.Table.from_pylist(list(metrics), telemetry.WINDOW_METRICS),
        pa.Table.from_pylist(list(spans), SPAN_SCHEMA),
        pa.Table.from_pylist(list(counters), COUNTER_SCHEMA),
    )


def span(start: int, duration: int, span_id: str, parent: str | None, service: str, status: str = "ok") -> dict:
    return {
        "time": start,
        "duration_us": duration,
        "trace_id": "t",
        "span_id": span_id,
        "parent_span_id": parent,
        "service": service,
        "operation": "GET",
        "status": status,
    }


def test_logs_are_counted_by_window_service_template_and_severity_under_the_canonical_id():
    log = {"service": "cart", "template_id": 7, "severity_number": 9}
    given_rows = rows(logs=[{"time": 1, **log}, {"time": 2, **log, "template_id": 8}, {"time": 10 * S, **log}])
    first, second = [window for window, _ in cut(given_rows, 0, 20 * S, 10 * S, {8: (7, 0)})]
    assert [(r["template_id"], r["count"]) for r in first.logs.to_pylist()] == [(7, 2)]
    assert second.start == 10 * S
    assert second.logs["count"].to_pylist() == [1]


def test_a_template_is_counted_as_another_from_the_time_on_it_generalised():
    log = {"service": "cart", "severity_number": 9}
    given_rows = rows(logs=[{"time": t * S, **log, "template_id": 8} for t in (1, 11, 21)])
    windows = [window for window, _ in cut(given_rows, 0, 30 * S, 10 * S, {8: (7, 10 * S)})]
    assert [w.logs["template_id"].to_pylist() for w in windows] == [[8], [7], [7]]


def test_rows_are_counted_in_the_store_as_they_are_outside_and_late_ones_are_not(tmp_path):
    times = [0, 10 * S - 1, 10 * S, 35 * S, 59 * S, 60 * S]
    plain = {"observed_time": 0, "body": "x", "params": [], "source": "a", "partition": 0, "line": 1, "late": False}
    logs = [
        {
            **plain,
            "time": t,
            "offset": i,
            "service": "ab"[i % 2],
            "template_id": i % 3,
            "severity_number": [None, 9][i % 2],
        }
        for i, t in enumerate(times)
    ]
    logs.append({**logs[2], "offset": len(logs), "late": True})
    table = pa.Table.from_pylist(logs, telemetry.LOGS)
    store = Store.open(tmp_path)
    store.writer().commit({"logs": table}, [Move.of(Partition("app", "a"), 0, len(logs))])
    with store.reader() as reader:
        counted = read_counts(reader, 0, 60 * S, 10 * S)
        assert read_counts(reader, 100 * S, 200 * S, 10 * S).num_rows == 0
    expected = count_logs(table.slice(0, 5), 0, 10 * S)
    order = [(name, "ascending") for name in counted.column_names]
    assert counted.sort_by(order).equals(expected.sort_by(order))


def test_own_time_leaves_out_what_overlapping_children_cover():
    spans = [
        span(0, 1000, "a", None, "front"),
        span(100, 400, "b", "a", "cart"),
        span(300, 400, "c", "a", "user"),  # overlaps b by 200
        span(900, 500, "d", "a", "mail"),  # ends after its parent: asynchronous, only the part inside counts
    ]
    ((window, calls),) = cut(rows(spans=spans), 0, 10 * S, 10 * S, {})
    own = dict(zip(window.spans["service"].to_pylist(), window.spans["self_p50_us"].to_pylist(), strict=True))
    assert own == {"front": 1000 - 600 - 100, "cart": 400, "user": 400, "mail": 500}
    assert calls == {("front", "cart"): 1, ("front", "user"): 1, ("front", "mail"): 1}


def test_an_error_originates_where_no_child_failed():
    spans = [
        span(0, 100, "a", None, "front", "error"),
        span(10, 50, "b", "a", "cart", "error"),
        span(20, 10, "c", "b", "db", "ok"),
    ]
    ((window, _),) = cut(rows(spans=spans), 0, 10 * S, 10 * S, {})
    origins = dict(zip(window.spans["service"].to_pylist(), window.spans["error_origins"].to_pylist(), strict=True))
    assert origins == {"front": 0, "cart": 1, "db": 0}


@st.composite
def traces(draw: st.DrawFn) -> list[dict]:
    spans = []
    for number in range(draw(st.integers(0, 12))):
        parent = f"s{draw(st.integers(0, number - 1))}" if number and draw(st.booleans()) else None
        start, duration = draw(st.integers(0, 40 * S)), draw(st.integers(0, 30 * S))
        service = draw(st.sampled_from(["a", "b", "c"]))
        spans.append(span(start, duration, f"s{number}", parent, service, draw(st.sampled_from(["ok", "error"]))))
    return spans


@settings(max_examples=20, deadline=None)
@given(traces())
def test_a_window_is_the_same_whether_later_windows_are_read_with_it_or_not(spans: list[dict]):
    together = [(w.spans.to_pylist(), c) for w, c in cut(rows(spans=spans), 0, 80 * S, 10 * S, {})]
    apart = []
    for start in range(0, 80 * S, 10 * S):
        so_far = [s for s in spans if s["time"] + s["duration_us"] < start + 10 * S]
        apart += [(w.spans.to_pylist(), c) for w, c in cut(rows(spans=so_far), start, start + 10 * S, 10 * S, {})]
    assert together == apart


def test_metric_points_come_in_order_and_on_the_right_side_of_a_border():
    points = [{"time": t, "service": "a", "metric": "cpu", "value": float(t)} for t in (10 * S, 0, 10 * S - 1)]
    first, second = [w for w, _ in cut(rows(metrics=points), 0, 20 * S, 10 * S, {})]
    assert first.metrics["value"].to_pylist() == [0.0, 10 * S - 1]
    assert second.metrics["value"].to_pylist() == [10 * S]
    assert np.all(np.diff(first.metrics["value"].to_numpy()) > 0)
