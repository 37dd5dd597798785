"""OTLP messages: the same rows from protobuf and JSON, right fields, and what is wrong rejected by itself."""

import json
import math

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import NOW, decoded
from otlp import NS, SPAN, TRACE, as_json, both, logs, metrics, pairs, spans
from source_contract import rows

from ingest._otlp import message_type
from ingest._text import MAX_LINE

TOPICS = {"logs": "otlp_logs", "metrics": "otlp_metrics", "traces": "otlp_spans"}


def same_rows(message, signal, kind):
    """Rows of a message; both encodings, found by themselves, must give the same."""
    found = [rows(decoded(value, topic=TOPICS[signal]), kind) for value in both(message)]
    assert found[0] == found[1]
    return found[0]


def us(moment):
    return round(moment.timestamp() * 1e6)


def test_a_log_record_has_all_its_fields():
    record = {
        "time_unix_nano": NS + 1_234_567,
        "observed_time_unix_nano": NS + 9_000_000,
        "severity_number": 17,
        "severity_text": "ERROR",
        "body": {"string_value": "payment of order 17 refused"},
        "attributes": pairs(thread="main", k8s__pod__name="own"),
        "trace_id": TRACE,
        "span_id": SPAN,
        "event_name": "refusal",
    }
    (row,) = same_rows(logs(record), "logs", "lines")
    assert (us(row.pop("time")), us(row.pop("observed_time"))) == (NS // 1000 + 1234, NS // 1000 + 9000)
    assert row == {
        "service": "cart",
        "component": "shop.Cart",
        "severity_number": 17,
        "severity_text": "ERROR",
        "body": "payment of order 17 refused",
        "trace_id": TRACE.hex(),
        "span_id": SPAN.hex(),
        "attributes": [("k8s.pod.name", "own"), ("thread", "main"), ("event.name", "refusal")],
        "source": "kafka:otlp_logs",
        "partition": 0,
        "offset": 10,
        "line": 1,
        "structured": True,
    }


def test_what_a_log_record_does_not_say_is_not_made_up():
    (row,) = same_rows(logs({"body": {"string_value": "x"}}, resource={}, scope=""), "logs", "lines")
    names = ("time", "service", "component", "severity_number", "severity_text", "trace_id", "span_id")
    assert [row[name] for name in names] == [None] * 7
    assert us(row["observed_time"]) == NOW * 1_000_000


def test_severity_comes_from_the_text_where_the_number_is_missing():
    found = same_rows(
        logs({"severity_text": "warning"}, {"severity_number": 99, "severity_text": "?"}), "logs", "lines"
    )
    assert [(row["severity_number"], row["severity_text"]) for row in found] == [(13, "warning"), (None, "?")]


@pytest.mark.parametrize(
    ("body", "text", "attributes"),
    [
        ({"int_value": -7}, "-7", []),
        ({"bool_value": True}, "true", []),
        ({"double_value": 0.5}, "0.5", []),
        ({"bytes_value": b"\0\xff"}, "AP8=", []),
        ({"array_value": {"values": [{"int_value": 1}, {"string_value": "b"}]}}, '[1,"b"]', []),
        ({"kvlist_value": {"values": pairs(a="b")}}, '{"a":"b"}', []),
        ({"kvlist_value": {"values": pairs(msg="hello", user="u")}}, "hello", [("user", "u")]),
    ],
)
def test_bodies_of_every_kind(body, text, attributes):
    (row,) = same_rows(logs({"body": body}, resource={}), "logs", "lines")
    assert (row["body"], row["attributes"]) == (text, attributes)


def test_a_very_long_body_is_cut_and_says_so():
    (row,) = same_rows(logs({"body": {"string_value": "ü" * MAX_LINE}}, resource={}), "logs", "lines")
    assert len(row["body"].encode()) <= MAX_LINE
    assert dict(row["attributes"])["faultline.truncated"] == str(2 * MAX_LINE)


@pytest.mark.parametrize(
    ("resource", "service"),
    [
        (pairs(k8s__deployment__name="pay", k8s__container__name="c"), "pay"),
        (pairs(service__name="", container__name="c"), "c"),
        (pairs(host__name="h"), "from-header"),
    ],
)
def test_the_service_is_the_resources_else_its_workload_else_the_header(resource, service):
    message = logs({}, resource={"attributes": resource}).SerializeToString()
    found = decoded(message, topic="otlp_logs", key=b"a-hash", headers=[("service", b"from-header")])
    assert rows(found, "lines")[0]["service"] == service


def test_a_span_has_all_its_fields():
    span = {
        "trace_id": TRACE,
        "span_id": SPAN,
        "parent_span_id": SPAN[::-1],
        "name": "GET /cart",
        "kind": 2,
        "start_time_unix_nano": NS,
        "end_time_unix_nano": NS + 5_321_999,
        "attributes": pairs(http__route="/cart"),
        "status": {"code": 2, "message": "refused"},
        "events": [{"time_unix_nano": NS + 1000, "name": "exception", "attributes": pairs(exception__type="E")}],
        "links": [{"trace_id": TRACE[::-1], "span_id": SPAN}],
        "trace_state": "a=b",
    }
    row, root = same_rows(spans(span, {**span, "parent_span_id": bytes(8), "status": {}}), "traces", "spans")
    assert us(row["time"]) == NS // 1000
    wanted = {"duration_us": 5321, "service": "cart", "operation": "GET /cart", "status": "error"}
    ids = {"trace_id": TRACE.hex(), "span_id": SPAN.hex(), "parent_span_id": SPAN[::-1].hex()}
    assert {name: row[name] for name in (*wanted, *ids)} == wanted | ids
    notes = dict(row["attributes"])
    assert json.loads(notes.pop("events")) == [{"time_us": NS // 1000 + 1, "name": "exception", "exception.type": "E"}]
    assert json.loads(notes.pop("links")) == [{"trace_id": TRACE[::-1].hex(), "span_id": SPAN.hex()}]
    assert notes == {
        "k8s.pod.name": "cart-1",
        "otel.scope.name": "lib",
        "http.route": "/cart",
        "span.kind": "server",
        "otel.status_description": "refused",
        "w3c.tracestate": "a=b",
    }
    assert (root["parent_span_id"], root["status"]) == (None, "unset")


def points(*found):
    return [
        (row["metric"], row["value"], {k: v for k, v in row["attributes"] if k != "k8s.pod.name"})
        for row in same_rows(metrics(*found), "metrics", "metrics")
    ]


def test_gauges_and_sums():
    at = {"time_unix_nano": NS}
    gauge = {"data_points": [{**at, "as_double": 0.25, "attributes": pairs(core="1")}, {**at, "as_int": -3}]}
    total = {"is_monotonic": True, "aggregation_temporality": 2, "data_points": [{**at, "as_int": 9}]}
    delta = {"is_monotonic": True, "aggregation_temporality": 1, "data_points": [{**at, "as_int": 0}]}
    level = {"aggregation_temporality": 2, "data_points": [{**at, "as_double": 1.5}]}
    assert points(
        {"name": "cpu", "gauge": gauge}, {"name": "requests", "sum": total}, {"name": "seen", "sum": delta},
        {"name": "queue", "sum": level}, {"name": "nothing"},
    ) == [
        ("cpu", 0.25, {"core": "1"}),
        ("cpu", -3.0, {}),
        ("requests_total", 9.0, {}),
        ("seen", 0.0, {"temporality": "delta"}),
        ("queue", 1.5, {}),
    ]  # fmt: skip


def test_histograms_and_summaries():
    at = {"time_unix_nano": NS, "count": 6}
    histogram = {
        "aggregation_temporality": 2,
        "data_points": [{**at, "sum": 7.5, "max": 4.0, "explicit_bounds": [0.5, 2], "bucket_counts": [1, 3, 2]}],
    }
    summary = {"data_points": [{**at, "sum": 3.0, "quantile_values": [{"quantile": 0.99, "value": 2.5}]}]}
    assert points({"name": "t", "histogram": histogram}, {"name": "s", "summary": summary}) == [
        ("t_count", 6.0, {}),
        ("t_sum", 7.5, {}),
        ("t_max", 4.0, {}),
        ("t_bucket", 1.0, {"le": "0.5"}),
        ("t_bucket", 4.0, {"le": "2"}),
        ("t_bucket", 6.0, {"le": "+Inf"}),
        ("s_count", 6.0, {}),
        ("s_sum", 3.0, {}),
        ("s", 2.5, {"quantile": "0.99"}),
    ]


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=200), st.integers(0, 6))
@settings(max_examples=25, deadline=None)
def test_quantiles_of_an_exponential_histogram_are_within_its_resolution(values, scale):
    base = 2 ** (2.0**-scale)
    places = [math.ceil(math.log(value, base)) - 1 for value in values]
    counts = [0] * (max(places) - min(places) + 1)
    for place in places:
        counts[place - min(places)] += 1
    if len(counts) > 5000:
        return
    point = {
        "time_unix_nano": NS, "count": len(values), "scale": scale,
        "positive": {"offset": min(places), "bucket_counts": counts},
    }  # fmt: skip
    data = {"aggregation_temporality": 1, "data_points": [point]}
    message = metrics({"name": "t", "exponential_histogram": data}).SerializeToString()
    found = {
        dict(row["attributes"]).get("quantile"): row["value"]
        for row in rows(decoded(message, topic="otlp_metrics"), "metrics")
    }
    ordered = sorted(values)
    for quantile in (0.5, 0.9, 0.99):
        exact = ordered[max(0, math.ceil(quantile * len(values) - 1e-9) - 1)]
        assert exact / base * 0.999 <= found[str(quantile)] <= exact * base * 1.001


@pytest.mark.parametrize("length", range(119, 128))
def test_a_message_as_long_as_a_brace_is_no_json(length):
    """Protobuf begins with a line feed and a length; 123 is `{`."""
    point = {"time_unix_nano": NS, "as_int": 5}
    sized = (metrics({"name": "n" * n, "gauge": {"data_points": [point]}}) for n in range(1, 100))
    message = next(m for m in (one.SerializeToString() for one in sized) if m[:2] == bytes([10, length]))
    assert [row["value"] for row in rows(decoded(message, topic="otlp_metrics"), "metrics")] == [5.0]


def test_json_may_begin_with_a_line_feed():
    message = metrics({"name": "n", "gauge": {"data_points": [{"time_unix_nano": NS, "as_int": 5}]}})
    found = rows(decoded(b"\n" + as_json(message), topic="otlp_metrics"), "metrics")
    assert [row["value"] for row in found] == [5.0]


def test_zeros_and_negative_values_of_an_exponential_histogram_come_first():
    point = {
        "time_unix_nano": NS, "count": 10, "zero_count": 8,
        "negative": {"offset": 0, "bucket_counts": [1]}, "positive": {"offset": 0, "bucket_counts": [1]},
    }  # fmt: skip
    found = points({"name": "t", "exponential_histogram": {"data_points": [point]}})
    assert [value for _, value, notes in found if notes] == [0.0, 0.0, pytest.approx(2**0.5)]


def test_points_without_a_value_are_filtered_and_wrong_ones_rejected_one_by_one():
    at = {"time_unix_nano": NS}
    data = [
        {**at, "as_double": math.nan},
        {**at, "flags": 1},
        {**at, "as_double": math.inf, "attributes": pairs(core="2")},
        {**at, "as_double": -math.inf},
        {"as_int": 1},
        {"time_unix_nano": NS + 3600 * 10**9, "as_int": 1},
        {**at, "as_int": 5},
    ]
    for value in both(metrics({"name": "cpu", "gauge": {"data_points": data}})):
        (batch,) = decoded(value, topic="otlp_metrics")
        assert [row["value"] for row in rows([batch], "metrics") if not row["late"]] == [5.0]
        [ahead] = [row for row in rows([batch], "metrics") if row["late"]]
        assert (us(ahead["time"]), dict(ahead["attributes"])["faultline.stated_time"][:4]) == (NOW * 10**6, "2026")
        assert (batch.read, batch.filtered) == (7, 2)
        letters = rows([batch], "dead_letters")
        assert [(one["reason"], one["units"]) for one in letters] == [
            ("not_finite", 2), ("bad_time", 1),
        ]  # fmt: skip
        first = orjson.loads(letters[0]["raw"].splitlines()[0])
        assert (first["metric"], first["service"], first["attributes"]["core"]) == ("cpu", "cart", "2")


def test_wrong_spans_and_logs_are_rejected_one_by_one():
    good = {"trace_id": TRACE, "span_id": SPAN, "start_time_unix_nano": NS, "end_time_unix_nano": NS + 1000}
    bad = [
        {**good, "trace_id": bytes(16)},
        {**good, "end_time_unix_nano": NS - 10**9},
        {**good, "start_time_unix_nano": 0, "end_time_unix_nano": 0},
    ]
    for value in both(spans(*bad, good)):
        found = decoded(value, topic="otlp_spans")
        assert len(rows(found, "spans")) == 1
        assert [one["reason"] for one in rows(found, "dead_letters")] == ["bad_span", "bad_value", "bad_time"]
    records = [{"time_unix_nano": NOW}, {"time_unix_nano": NS + 10**13}, {"time_unix_nano": 2**64 - 1}, {}]
    for value in both(logs(*records)):
        found = decoded(value, topic="otlp_logs")
        assert len(rows(found, "lines")) == 2, "that a line is ahead of the clock is found out later"
        assert sum(one["units"] for one in rows(found, "dead_letters")) == 2


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\x0a\x03abc", "bad_protobuf"),
        (b'{"resourceLogs": 3}', "bad_json"),
        (b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"traceId": "xyz"}]}]}]}', "bad_json"),
        (b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": -1}]}]}]}', "bad_json"),
        (b'{"resourceLogs": [', "bad_json"),
        (b'{"resourceLogs": ' + b"[" * 100_000, "too_deep"),
        (logs({"body": {"string_value": "cut off"}}).SerializeToString()[:-3], "bad_protobuf"),
    ],
)
def test_a_message_that_cannot_be_read_is_a_dead_letter_and_the_next_goes_on(value, reason):
    good = logs({"body": {"string_value": "good"}}).SerializeToString()
    found = decoded(good, value, good, format="otlp_logs")
    assert [row["offset"] for row in rows(found, "lines")] == [10, 12]
    (letter,) = rows(found, "dead_letters")
    assert (letter["reason"], letter["offset"], letter["raw"]) == (reason, 11, value[: 64 * 1024])


def test_json_as_the_specification_writes_it_and_lenient_about_spelling():
    text = b"""{"resourceSpans": [{"resource": {"attributes": [
      {"key": "service.name", "value": {"stringValue": "my.service"}}]},
      "scopeSpans": [{"scope": {"name": "my.library", "unknownField": {"x": 1}}, "spans": [{
      "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174", "parentSpanId": null,
      "name": "I'm a server span", "startTimeUnixNano": "1544712660000000000",
      "end_time_unix_nano": 1544712661000000000,
      "kind": "SPAN_KIND_SERVER", "attributes": [{"key": "n", "value": {"intValue": "3"}}]}]}]}]}"""
    (row,) = rows(decoded(text), "spans")
    assert row["trace_id"] == "5b8efff798038103d269b633813fc60c"
    assert (row["duration_us"], row["parent_span_id"]) == (1_000_000, None)
    assert dict(row["attributes"]) == {"otel.scope.name": "my.library", "n": "3", "span.kind": "server"}


@given(
    st.binary(max_size=200), st.sampled_from(["otlp_logs", "otlp_metrics", "otlp_traces", "remote_write", "prometheus"])
)
@settings(max_examples=60, deadline=None)
def test_no_bytes_stop_a_decoder(value, format):
    decoded(value, b"x", format=format)


def test_an_empty_message_is_no_record():
    for signal, topic in TOPICS.items():
        for value in (message_type(signal)().SerializeToString(), as_json(message_type(signal)())):
            (batch,) = decoded(value, format=topic.replace("spans", "traces"))
            assert (batch.read, batch.next) == (0, 11)


def test_what_counts_up_since_a_start_is_marked():
    at, point = {"time_unix_nano": NS, "count": 1, "sum": 1.0, "max": 1.0}, {"time_unix_nano": NS, "as_int": 1}
    sums = [
        {"name": name, "sum": {"is_monotonic": grows, "aggregation_temporality": kind, "data_points": [point]}}
        for name, grows, kind in (("a", True, 2), ("b", True, 1), ("c", False, 2))
    ]
    histograms = [
        {"name": name, "histogram": {"aggregation_temporality": kind, "data_points": [at]}}
        for name, kind in (("h", 2), ("d", 1))
    ]
    found = rows(decoded(metrics(*sums, *histograms).SerializeToString(), topic="otlp_metrics"), "metrics")
    assert [row["metric"] for row in found if row["cumulative"]] == ["a_total", "h_count", "h_sum"]
