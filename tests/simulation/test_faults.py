import hashlib
import itertools
import json
from collections import Counter
from datetime import UTC, datetime

import pytest

from simulation import (
    ELIGIBLE,
    KINDS,
    NAMES,
    PAIRS,
    SEVERITIES,
    demo_schedule,
    make_fault,
    parse_fault,
    report_schedule,
    schedule,
)
from telemetry import UsageError

FROZEN = "9ce200cc68cf7166297f6bb6b833721ea3e1cb1ddf62948aaaf71308b71ed67a"


def test_the_severity_table_is_frozen():
    table = json.dumps({"severities": SEVERITIES, "eligible": ELIGIBLE}, sort_keys=True)
    assert hashlib.sha256(table.encode()).hexdigest() == FROZEN, (
        "detectors are tuned against this table, never the reverse"
    )


def test_two_consecutive_seeds_of_the_report_cover_every_pair():
    for seeds in (range(1, 21), range(101, 121)):
        counts = Counter((fault.kind, fault.severity) for seed in seeds for fault in report_schedule(seed))
        assert counts == dict.fromkeys(PAIRS, 10)


@pytest.mark.parametrize("make", [schedule, report_schedule, demo_schedule])
def test_schedules_depend_on_the_seed_alone_and_leave_room_to_recover(make):
    faults = make(7)
    assert faults == make(7) != make(8)
    for before, after in itertools.pairwise(faults):
        assert after.start - before.end >= 120
        assert 180 <= before.end - before.start <= 361
    assert all((fault.service is None) == (fault.kind == "traffic_surge") for fault in faults)
    assert all(fault.service in NAMES for fault in faults if fault.service)


def test_report_faults_start_after_a_warm_up_ten_minutes_apart():
    for seed in range(1, 21):
        starts = [fault.start for fault in report_schedule(seed)]
        assert 5400 <= starts[0] <= 7200
        assert min(b - a for a, b in itertools.pairwise(starts)) >= 600


def test_a_demo_begins_with_a_fault_that_shows_soon():
    for seed in range(50):
        first = demo_schedule(seed, 7200)[0]
        assert 7205 <= first.start <= 7215
        assert first.severity in ("medium", "high")
        assert first.kind not in ("memory_leak", "disk_full", "traffic_surge")


def test_a_fault_grows_over_its_ramp_and_ends():
    fault = make_fault("cpu_hog", "high", "cart", 100, 60)
    assert [fault.ramp(at) for at in (99, 100, 107.5, 130, 160)] == [0, 0, 0.5, 1, 0]


def test_truth_names_the_service_and_utc_times():
    began = datetime(2026, 1, 5, tzinfo=UTC)
    assert make_fault("traffic_surge", "low", None, 60, 60).truth(began) == {
        "service": None,
        "kind": "traffic_surge",
        "severity": "low",
        "signal": "request_rate",
        "start": "2026-01-05T00:01:00Z",
        "end": "2026-01-05T00:02:00Z",
    }


@pytest.mark.parametrize(
    ("text", "severity", "expected"),
    [
        ("sharks@cart", "low", "unknown fault kind 'sharks'"),
        ("cpu_hog@kart", "low", "unknown service 'kart'"),
        ("cpu_hog@cart", "huge", "unknown severity 'huge'"),
        ("slow_query@cart", "low", "slow_query cannot happen to cart: possible for user-db"),
    ],
)
def test_a_wrong_fault_says_what_would_be_right(text, severity, expected):
    with pytest.raises(UsageError, match=expected):
        parse_fault(text, severity)


def test_every_kind_but_the_surge_says_where_it_can_happen():
    assert set(ELIGIBLE) == set(KINDS) - {"traffic_surge"}
