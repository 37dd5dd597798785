import itertools
from dataclasses import replace

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rca import METHODS, Evidence, diagnose, suspects_table
from telemetry import SUSPECTS, WINDOW_METRICS, EvidenceError, UsageError
from tests.rca.cases import BEGIN, CALLS, ONSET, SECOND, SERVICES, UNTIL, evidence, metrics, spans, us

CPU = {("store", "cpu_utilization"): 2.2, ("store", "latency_p95"): 3.0, ("orders", "latency_p95"): 2.5}
CPU |= {("web", "latency_p95"): 2.0}
FAST = [m for m in METHODS if m != "pcmci"]


def _order(diagnosis):
    return [s.service for s in diagnosis.suspects]


def _comparable(diagnosis):
    return replace(diagnosis, seconds=0.0)


@pytest.mark.parametrize("method", METHODS)
class TestEveryMethod:
    """The contract of all rankers."""

    def test_ranks_every_service_once(self, method):
        found = diagnose(evidence(metrics=metrics(CPU)), method)
        assert sorted(_order(found)) == sorted(SERVICES)
        assert [s.rank for s in found.suspects] == [1, 2, 3, 4]
        scores = [s.score for s in found.suspects]
        assert all(np.isfinite(scores))
        assert all(a >= b - 1e-9 for a, b in itertools.pairwise(scores))
        assert sum(s.share for s in found.suspects) == pytest.approx(1)
        assert found.method == method

    def test_row_order_does_not_matter(self, method):
        case = evidence(metrics=metrics(CPU))
        rng = np.random.default_rng(3)
        mixed = {
            n: getattr(case, n).take(rng.permutation(getattr(case, n).num_rows)) for n in ("metrics", "logs", "spans")
        }
        calls = dict(reversed(CALLS.items()))
        assert _comparable(diagnose(replace(case, calls=calls, **mixed), method)) == _comparable(diagnose(case, method))

    def test_nothing_after_until_is_used(self, method):
        seen = evidence(metrics=metrics(CPU))
        wild = pa.table([us([UNTIL + 1]), ["web"], ["cpu_utilization"], [1e9]], WINDOW_METRICS.names)
        more = pa.concat_tables([seen.metrics, wild.cast(WINDOW_METRICS)])
        assert _comparable(diagnose(replace(seen, metrics=more), method)) == _comparable(diagnose(seen, method))

    def test_fits_the_table_and_json(self, method):
        found = diagnose(evidence(metrics=metrics(CPU)), method)
        table = suspects_table("00ff", UNTIL, found)
        assert table.schema == SUSPECTS
        assert table["rank"].to_pylist() == [1, 2, 3, 4]
        plain = orjson.loads(orjson.dumps(found.as_dict()))
        assert plain["onset"] == "2027-01-15T08:20:00Z"
        assert plain["verdict"] in ("root_cause_found", "insufficient_evidence")


@pytest.mark.parametrize("method", ["default", "granger", "pcmci"])
def test_a_busy_cpu_below_slow_callers_is_the_cause(method):
    found = diagnose(evidence(metrics=metrics(CPU)), method)
    assert _order(found)[0] == "store"
    assert found.suspects[0].evidence[0].kind == "metric"


def test_root_cause_symptoms_and_path():
    slow = {("store", "handle"): 4.0}
    found = diagnose(evidence(metrics=metrics(CPU), spans=spans(slow)))
    assert found.verdict == "root_cause_found"
    first, roles = found.suspects[0], {s.service: s.role for s in found.suspects}
    assert (first.service, first.role) == ("store", "root_cause")
    assert first.path == ("store", "orders", "web")
    assert roles["users"] == "unclear"
    assert any("own time" in row.text for row in first.evidence)


def test_slow_calls_whose_callee_is_quick_point_at_the_way_to_it():
    slow = {("orders", "call store"): 30.0}
    late = metrics({("orders", "latency_p95"): 4.0, ("web", "latency_p95"): 3.0})
    assert _order(diagnose(evidence(metrics=late, spans=spans(slow))))[0] == "store"


def test_failures_are_charged_where_they_begin():
    failing = {("users", "handle"): 8}
    assert _order(diagnose(evidence(spans=spans(failing=failing))))[0] == "users"


def test_an_error_that_names_a_called_service_counts_against_it():
    found = diagnose(evidence(errors=[("orders", "request to store failed: connection refused")]))
    assert _order(found)[0] == "store"
    assert any("orders names store" in row.text for row in found.suspects[0].evidence)


def test_an_error_that_names_a_caller_counts_against_its_writer():
    found = diagnose(evidence(errors=[("store", "unexpected null in a query of orders")]))
    assert _order(found)[0] == "store"


def _rates(metric, before, after):
    """Rows of a metric every 5 s, by service: around one level before the onset, around another from then on."""
    rng = np.random.default_rng(1)
    times = np.arange(BEGIN, UNTIL + 1, 5 * SECOND)
    parts = []
    for service in before:
        level = np.where(times >= ONSET, after[service], before[service])
        values = level * (1 + 0.1 * rng.standard_normal(len(times)))
        parts.append(pa.table([us(times), [service] * len(times), [metric] * len(times), values], WINDOW_METRICS.names))
    return pa.concat_tables(parts).cast(WINDOW_METRICS)


@pytest.mark.parametrize("until", [10, 60])
@pytest.mark.parametrize(
    ("metric", "before", "after"),
    [
        ("error_rate", {"web": 0.001, "orders": 0.01, "users": 0.01}, {"web": 0.3, "orders": 0.6, "users": 0.01}),
        ("availability", {"web": 0.99, "orders": 0.99, "users": 0.99}, {"web": 0.1, "orders": 0.3, "users": 0.99}),
    ],
)
def test_failures_handed_on_do_not_count_against_those_near_the_users(metric, before, after, until):
    """Few calls fail at the front on ordinary days, so a rise stands out most there; nothing answers in `store`."""
    named = [("orders", "request to store failed: connection refused"), ("web", "orders answered with status 500")]
    case = evidence(
        metrics=pa.concat_tables([metrics({("store", "request_rate"): 0.3}), _rates(metric, before, after)]),
        errors=named,
        until=ONSET + until * SECOND,
    )
    order = _order(diagnose(case))
    assert order[0] == "store"
    assert order.index("orders") < order.index("web")


def test_fewer_failures_below_explain_nothing():
    before, failing = {"web": 0.01, "orders": 0.3}, {"web": 0.3, "orders": 0.02}
    case = evidence(metrics=pa.concat_tables([metrics(), _rates("error_rate", before, failing)]))
    assert _order(diagnose(case))[0] == "web"


def test_a_surge_has_no_root_cause():
    load = {(s, "cpu_utilization"): 1.6 for s in SERVICES} | {(s, "latency_p95"): 1.5 for s in SERVICES}
    found = diagnose(evidence(metrics=metrics(load, load=1.7)))
    assert found.verdict == "insufficient_evidence"
    assert "root_cause" not in {s.role for s in found.suspects}


def test_quiet_telemetry_is_not_enough():
    found = diagnose(evidence())
    assert found.verdict == "insufficient_evidence"
    assert found.confidence < 0.5


def test_an_earlier_incident_in_the_history_does_not_confuse():
    table = metrics(CPU)
    times = np.asarray(table["time"].cast(pa.int64()))
    old = (times >= BEGIN + 300 * SECOND) & (times < BEGIN + 480 * SECOND)
    there = old & (np.asarray(table["service"]) == "users")
    values = np.where(there, np.asarray(table["value"]) * 6, np.asarray(table["value"]))
    assert _order(diagnose(evidence(metrics=table.set_column(3, "value", pa.array(values)))))[0] == "store"


@pytest.mark.parametrize("late", [0, 20, 40])
def test_a_late_onset_is_survived(late):
    found = diagnose(evidence(metrics=metrics(CPU), onset=ONSET + late * SECOND))
    assert _order(found)[0] == "store"


def test_the_onset_is_found():
    found = diagnose(evidence(metrics=metrics(CPU), onset=None))
    assert abs(found.onset - ONSET) <= 5 * SECOND


def test_normal_rows_replace_missing_history():
    table = metrics(CPU)
    times = np.asarray(table["time"].cast(pa.int64()))
    history, rest = table.filter(pa.array(times < ONSET)), table.filter(pa.array(times >= ONSET))
    assert _order(diagnose(Evidence(metrics=rest, normal=history, onset=ONSET, calls=CALLS)))[0] == "store"
    with pytest.raises(EvidenceError, match="no row before the onset"):
        diagnose(Evidence(metrics=rest, onset=ONSET))


def test_errors_say_what_would_be_right():
    with pytest.raises(UsageError, match="unknown root-cause method 'magic': one of default"):
        diagnose(evidence(), "magic")
    with pytest.raises(EvidenceError, match="nothing to rank"):
        diagnose(Evidence(onset=ONSET))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from([1e-6, 1e-3, 1.0, 1e3, 1e6]), min_size=3, max_size=3))
def test_units_do_not_matter(units):
    table = metrics(CPU)
    factor = dict(zip(("cpu_utilization", "latency_p95", "request_rate"), units, strict=True))
    scaled = [v * factor[m] for v, m in zip(table["value"].to_pylist(), table["metric"].to_pylist(), strict=True)]
    other = diagnose(evidence(metrics=table.set_column(3, "value", pa.array(scaled))))
    base = diagnose(evidence(metrics=table))
    assert _order(other)[0] == _order(base)[0] == "store"
    assert other.suspects[0].score == pytest.approx(base.suspects[0].score, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_hostile_points_do_not_break_it(data):
    value = st.floats(allow_nan=False, allow_infinity=False, width=64)
    count = data.draw(st.integers(1, 40))
    rows = [
        (data.draw(st.integers(BEGIN, UNTIL)), data.draw(st.sampled_from(["a", "b", "é_|"])), "m", data.draw(value))
        for _ in range(count)
    ]
    time, service, metric, values = zip(*rows, strict=True)
    table = pa.table([us(time), service, metric, values], WINDOW_METRICS.names).cast(WINDOW_METRICS)
    for method in FAST:
        try:
            found = diagnose(
                Evidence(metrics=table, onset=data.draw(st.sampled_from([None, ONSET])), until=UNTIL), method
            )
        except EvidenceError:
            continue
        assert np.isfinite([s.score for s in found.suspects]).all()
