import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from simulation import NAMES, PAIRS, SERVICES, Shop, make_fault
from telemetry import UsageError

START = datetime(2026, 1, 5, 14, tzinfo=UTC)
ISO = r"2026-01-05T14:\d\d:\d\d\.\d{3,6}(?:Z|\+00:00)"
PLAIN = r"2026-01-05 14:\d\d:\d\d"
HEADERS = {
    "nginx": (
        r"(\d+\.\d+\.\d+\.\d+ - - \[05/Jan/2026:14:\d\d:\d\d \+0000\] \"(GET|POST) /\S* HTTP/1\.1\" \d{3} \d+ "
        r"|2026/01/05 14:\d\d:\d\d \[\w+\] \d+#\d+: )"
    ),
    "pino": r'\{"level":"\w+","time":"' + ISO,
    "serilog": r'\{"Timestamp":"' + ISO + r'","Level":"\w+"',
    "zap": r'\{"level":"\w+","ts":17676\d+\.\d+',
    "logfmt": r"time=" + ISO + r" level=\w+ caller=\S+ msg=\"",
    "spring": ISO + r" +[A-Z]+ 1 --- \[nio-8080-exec-\d\] \S+ +: ",
    "log4j": PLAIN + r",\d{3} [A-Z]+ +\[http-worker-\d+\] \S+ - ",
    "python": PLAIN + r",\d{3} - [\w.]+ - [A-Z]+ - ",
    "celery": r"\[" + PLAIN + r",\d{3}: [A-Z]+/ForkPoolWorker-\d\] \S+: ",
    "tracing": ISO + r" +[A-Z]+ [\w:]+: ",
    "glog": r"[DIWEF]20260105 14:\d\d:\d\d\.\d{6} +\d+ \S+:\d+\] ",
    "syslog5424": r"<\d+>1 " + ISO + r" shipping-\d \w+ 1 - - ",
    "syslog": ISO + r" notification-\d \w+\[\d+\]: ",
    "postgres": PLAIN + r"\.\d{3} UTC \[\d+\] \S* ?[A-Z]+\d?:  ",
    "redis": r"1:[MC] 05 Jan 2026 14:\d\d:\d\d\.\d{3} [.*#] ",
    "rabbitmq": PLAIN + r"\.\d{6}\+00:00 \[\w+\] <0\.\d+\.0> ",
}


def text(shop: Shop, seconds: int, each: int = 5) -> dict[str, list[str]]:
    """Everything a shop writes, by file."""
    found: dict[str, list[str]] = {"metrics": [], "spans": []}
    for chunk in shop.chunks(seconds, each):
        for service, lines in chunk.logs.items():
            found.setdefault(service, []).extend(lines)
        found["metrics"] += chunk.metrics
        found["spans"] += chunk.spans
    return found


@pytest.fixture(scope="module")
def quiet() -> dict[str, list[str]]:
    return text(Shop(11, START), 900)


@pytest.fixture(scope="module")
def everything() -> tuple[list[dict], dict[str, list[str]]]:
    """One fault of each kind, one after another."""
    places = {
        "memory_leak": "orders",
        "disk_full": "orders-db",
        "dependency_down": "redis",
        "slow_query": "orders-db",
        "traffic_surge": None,
    }
    kinds = [kind for kind, severity in PAIRS if severity == "high"]
    faults = [make_fault(kind, "high", places.get(kind, "payment"), 60 + 90 * n, 80) for n, kind in enumerate(kinds)]
    return [fault.truth(START) for fault in faults], text(Shop(12, START, faults), 1000)


def test_same_seed_same_bytes_whatever_the_chunks_and_the_length(quiet):
    short = text(Shop(11, START), 300, each=37)
    assert all(quiet[name][: len(lines)] == lines for name, lines in short.items())
    assert text(Shop(13, START), 300)["gateway"] != short["gateway"]


def test_the_past_does_not_know_of_a_fault_to_come(quiet):
    later = text(Shop(11, START, [make_fault("dependency_down", "high", "redis", 300)]), 300)
    assert all(quiet[name][: len(lines)] == lines for name, lines in later.items())


def test_every_service_logs_in_its_own_format(quiet):
    for service in SERVICES:
        header = re.compile(HEADERS[service.log])
        lines = quiet[service.name]
        assert len(lines) >= 3
        assert [record for record in lines if not header.match(record)] == []


def test_json_records_parse_and_carry_time_level_and_message(everything):
    for service, keys in (
        ("frontend", ("time", "level", "msg")),
        ("checkout", ("ts", "level", "msg")),
        ("auth", ("Timestamp", "Level", "RenderedMessage")),
    ):
        for line in everything[1][service]:
            assert all(key in json.loads(line) for key in keys)


def test_records_come_in_order_of_time(quiet):
    spans = [json.loads(line)["time"] for line in quiet["spans"]]
    assert spans == sorted(spans)
    orders = [line[:23] for line in quiet["orders"]]
    assert orders == sorted(orders)


def test_metrics_name_every_service_every_five_seconds(quiet):
    points = [json.loads(line) for line in quiet["metrics"]]
    assert Counter(point["service"] for point in points) == dict.fromkeys(NAMES, 180)
    assert points[0]["time"] == "2026-01-05T14:00:04.000000Z"
    needed = {
        "cpu_utilization",
        "memory_bytes",
        "request_rate",
        "error_rate",
        "latency_p50",
        "latency_p95",
        "latency_p99",
        "queue_length",
        "restarts",
    }
    for point in points:
        values = point["metrics"]
        assert set(values) - {"disk_usage"} == needed
        assert np.isfinite(list(values.values())).all()
        assert values["latency_p50"] <= values["latency_p95"] <= values["latency_p99"]
        assert 0 <= values["cpu_utilization"] <= 1
        assert 0 <= values["error_rate"] <= 1


def test_spans_form_trees_across_services(quiet):
    spans = {span["span_id"]: span for span in map(json.loads, quiet["spans"])}
    calls = Counter()
    for span in spans.values():
        assert set(span) == {
            "time",
            "duration_us",
            "trace_id",
            "span_id",
            "parent_span_id",
            "service",
            "operation",
            "status",
        }
        assert re.fullmatch("[0-9a-f]{32}", span["trace_id"])
        assert re.fullmatch("[0-9a-f]{16}", span["span_id"])
        parent = spans.get(span["parent_span_id"])
        if parent and parent["service"] != span["service"]:
            calls[parent["service"], span["service"]] += 1
            assert parent["trace_id"] == span["trace_id"]
    assert calls["checkout", "payment"] > 10
    assert calls["payment", "user-db"] > 10


def test_requests_in_are_requests_answered_well_or_failed():
    shop = Shop(12, START, [make_fault("dependency_down", "high", "redis", 60, 120)])
    found = text(shop, 240)
    sent, well, failed = shop.tally
    assert sent == well + failed
    assert failed > 50
    answered = Counter(int(line.split('" ')[1].split()[0]) >= 500 for line in found["gateway"] if '" "' in line)
    assert well - 5 <= answered[False] <= well
    assert failed - 5 <= answered[True] <= failed


def test_the_answer_is_not_in_the_telemetry(everything):
    truth, found = everything
    assert len(truth) == 10
    telemetry = "\n".join(line for lines in found.values() for line in lines).lower()
    kinds = [
        word
        for fault in truth
        for word in (fault["kind"], fault["kind"].replace("_", " "), fault["kind"].replace("_", "-"))
    ]
    for word in (*kinds, "fault", "inject", "chaos", "simulat", "anomal", "root cause", "severity", "ground truth"):
        assert word not in telemetry


def test_callers_tell_of_a_lossy_network_and_the_service_behind_it_does_not():
    loud = text(Shop(12, START, [make_fault("packet_loss", "high", "catalog", 30)]), 240)
    assert any("catalog GetProduct: timeout of 500ms exceeded" in line for line in loud["frontend"])
    assert not any("timed out" in line or "deadline exceeded" in line for line in loud["catalog"])


def test_an_exception_after_a_deploy_leaves_stack_traces_at_its_origin():
    found = text(Shop(12, START, [make_fault("code_exception", "high", "orders", 30)]), 240)
    assert sum("java.lang.NullPointerException" in line and "\n\tat " in line for line in found["orders"]) >= 5
    assert any("Starting Application" in line for line in found["orders"])


def metric(found: dict[str, list[str]], service: str, name: str) -> np.ndarray:
    return np.array(
        [point["metrics"][name] for point in map(json.loads, found["metrics"]) if point["service"] == service]
    )


@pytest.mark.parametrize(
    ("kind", "service", "signal"),
    [
        ("cpu_hog", "orders", "latency_p50"),
        ("memory_leak", "orders", "memory_bytes"),
        ("disk_full", "orders-db", "disk_usage"),
        ("code_exception", "payment", "error_rate"),
        ("slow_query", "orders-db", "latency_p95"),
    ],
)
def test_a_fault_shows_at_its_service(kind, service, signal):
    found = text(Shop(14, START, [make_fault(kind, "high", service, 300, 240)]), 540)
    values = metric(found, service, signal)
    assert np.median(values[84:]) > np.median(values[:60])


def test_a_dead_dependency_falls_silent_while_its_callers_complain():
    found = text(Shop(14, START, [make_fault("dependency_down", "high", "orders-db", 300, 240)]), 540)
    assert metric(found, "orders-db", "request_rate")[66:].max() < 1
    assert metric(found, "orders", "error_rate")[66:].mean() > 0.5
    assert any("Connection refused" in line for line in found["orders"])


def test_load_follows_the_hour_of_the_day():
    night, evening = (
        metric(text(Shop(15, START.replace(hour=hour)), 120), "gateway", "request_rate").mean() for hour in (4, 20)
    )
    assert evening > 1.4 * night


def test_a_start_without_time_zone_is_refused():
    for start in (datetime(2026, 1, 5), START + timedelta(milliseconds=1)):
        with pytest.raises(UsageError, match="full second with a time zone"):
            Shop(1, start)
