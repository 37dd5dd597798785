"""The pipeline's own metrics and health, asked over HTTP as Prometheus would."""

import json
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from prometheus_client import generate_latest

from faultline import own_metrics
from faultline.own_metrics import OwnMetrics
from faultline.worker import Counts
from telemetry import UsageError

COUNTS = Counts(read=10, stored=6, joined=2, dead_lettered=1, filtered=1, late=3, ahead=2)


@contextmanager
def served(own: OwnMetrics):
    server = own.serve(0)
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@dataclass
class Endpoint:
    outcomes: dict[str, int]
    journal_bytes: int
    backlog_bytes: int


def test_an_endpoint_is_looked_at_when_somebody_asks():
    own, endpoint = OwnMetrics(), Endpoint({"200": 5, "401": 2}, 700, 70)
    own.endpoint(endpoint)
    endpoint.outcomes["200"] += 1
    text = generate_latest(own.registry).decode()
    assert 'faultline_otlp_requests_total{outcome="200"} 6.0' in text
    assert 'faultline_otlp_requests_total{outcome="401"} 2.0' in text
    assert "faultline_otlp_journal_bytes 700.0" in text
    assert "faultline_otlp_backlog_bytes 70.0" in text


def test_metrics_show_accounts_commits_and_detection():
    own = OwnMetrics()
    own.account("logs/a.log", 0, COUNTS, round((time.time() - 100) * 1e6))
    own.observe_commit(0.2)
    own.correlator(1_700_000_000_000_000, 2, 7)
    own.parsers(3, 44)
    with served(own) as url:
        status, text = get(f"{url}/metrics")
    assert status == 200
    for line in (
        'faultline_records_total{fate="read",partition="logs/a.log/0"} 10.0',
        'faultline_records_total{fate="late",partition="logs/a.log/0"} 3.0',
        'faultline_records_total{fate="ahead",partition="logs/a.log/0"} 2.0',
        'faultline_commit_seconds_bucket{le="0.25"} 1.0',
        "faultline_open_incidents 2.0",
        "faultline_series_refused 7.0",
        "faultline_services_overflowing 3.0",
        "faultline_other_service_records 44.0",
        "faultline_detected_until_seconds 1.7e+09",
    ):
        assert line in text
    lag = next(line for line in text.splitlines() if line.startswith("faultline_watermark_lag_seconds{"))
    assert float(lag.split()[-1]) >= 100


def test_labels_are_bounded_and_the_rest_is_summed(monkeypatch):
    monkeypatch.setattr(own_metrics, "MAX_PARTITIONS", 3)
    own = OwnMetrics()
    for number in range(10):
        own.account("files", number, COUNTS, None)
    with served(own) as url:
        text = get(f"{url}/metrics")[1]
    reads = [line for line in text.splitlines() if 'fate="read"' in line]
    assert len(reads) == 4
    assert 'faultline_records_total{fate="read",partition="other"} 70.0' in reads


def test_rejects_are_counted_by_reason_within_bounds(monkeypatch):
    monkeypatch.setattr(own_metrics, "MAX_REASONS", 2)
    own = OwnMetrics()
    for reason in ("bad_json", "too_deep", "bad_json", "new_one"):
        own.rejected(reason, 2)
    with served(own) as url:
        text = get(f"{url}/metrics")[1]
    for reason, units in (("bad_json", 4), ("too_deep", 2), ("other", 2)):
        assert f'faultline_dead_letters_total{{reason="{reason}"}} {units}.0' in text


def test_a_hostile_partition_name_stays_inside_its_label():
    own = OwnMetrics()
    own.account('a"} 1\nevil_total 9\n', 0, COUNTS, None)
    with served(own) as url:
        assert not any(line.startswith("evil") for line in get(f"{url}/metrics")[1].splitlines())


def test_health_fails_once_the_loop_stands_still():
    now = [0.0]
    own = OwnMetrics(clock=lambda: now[0])
    with served(own) as url:
        assert get(f"{url}/healthz")[0] == 200
        now[0] = own_metrics.STALE_S + 1
        status, text = get(f"{url}/healthz")
        assert (status, json.loads(text)["status"]) == (503, "stalled")
        own.beat()
        assert get(f"{url}/healthz")[0] == 200
        assert get(f"{url}/elsewhere")[0] == 404


def test_a_taken_port_is_a_one_line_error():
    own = OwnMetrics()
    with served(own) as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(UsageError, match=rf"cannot serve metrics on 127\.0\.0\.1:{port}"):
            OwnMetrics().serve(port)
