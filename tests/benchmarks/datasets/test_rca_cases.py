"""Root-cause cases: the truth stays out of what methods see, and nothing else is lost."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import telemetry
from benchmarks.datasets import DataError, RcaCase, rca_cases, rcaeval_cases, read_recording

from .miniature import DAY, START, write_rcaeval

US = 1_000_000


def times(table: pa.Table, name: str = "time") -> list[int]:
    """Distinct times in seconds after START."""
    return (np.unique(table[name].cast(pa.int64()).to_numpy()) // US - START).tolist()


@pytest.fixture
def cases(data: Path) -> dict[str, RcaCase]:
    return {case.name: case for case in rca_cases(data)}


def test_all_cases_are_listed_in_order(cases: dict[str, RcaCase]):
    assert list(cases) == [
        *(f"{DAY}#{i:02d}" for i in (1, 2, 3)),
        "high_issue_0",
        "late_issue_0",
        *(f"cart_cpu_{i}" for i in (1, 2, 3)),
        "cart_latency",
    ]
    assert [case.part for case in cases.values()] == ["days_mini"] * 3 + ["shop"] * 2 + ["two_recordings"] * 3 + [
        "unknown_onset"
    ]


def test_two_recordings_become_one_without_a_gap(cases: dict[str, RcaCase]):
    case = cases["cart_cpu_1"]
    assert (case.service, case.signal, case.fault, case.onset) == ("cart", "cpu", "cpu", (START + 5000) * US)
    metrics = read_recording(case).case.metrics
    assert metrics.schema == telemetry.METRICS
    assert times(metrics) == list(range(4980, 5010)), "20 normal seconds right before the 10 anomalous ones"
    assert set(metrics["metric"].to_pylist()) == {"cpu", "mem"}, "phase is gone"
    first = metrics.slice(0, 3).to_pylist()
    assert {row["service"]: row["value"] for row in first if row["metric"] == "cpu"} == {"cart": 0.0, "cart-db": 2.0}


def test_unknown_onset(cases: dict[str, RcaCase]):
    case = cases["cart_latency"]
    assert (case.onset, case.service, case.signal, case.fault) == (None, "cart", "latency", "delay")
    assert read_recording(case).normal is None


def test_normal_operation_and_graph_beside_the_case(cases: dict[str, RcaCase]):
    case = cases["high_issue_0"]
    assert (case.service, case.signal, case.onset, case.alarm) == (
        "Search_x", None, START * US, (START + 307) * US,
    )  # fmt: skip
    recording = read_recording(case)
    assert set(recording.case.metrics["service"].to_pylist()) == {"Web_site", "Search_x"}
    assert recording.normal is not None
    assert times(recording.normal) == [300 * i for i in range(6)]
    assert recording.graph == {("Web_site", "Search_x"): 1.0}
    late = cases["late_issue_0"]
    assert late.normal is None
    assert read_recording(late).normal is None


def test_earlier_faults_are_masked(cases: dict[str, RcaCase]):
    first, second, third = (cases[f"{DAY}#{i:02d}"] for i in (1, 2, 3))
    assert (first.service, first.signal, first.fault, first.not_services) == (
        "cart", None, "cpu_contention", ("FRONT",),
    )  # fmt: skip
    assert first.masks == ()
    assert first.gaps == (((START + 601) * US, (START + 659) * US),)
    assert second.masks == (((START + 600) * US, (START + 900) * US),)
    assert third.masks[1] == ((START + 1080) * US, (START + 1200) * US), "a mask ends where the case's own fault begins"
    whole = list(range(0, 3600, 60))
    seen = read_recording(third).case
    left = [t for t in whole if not 600 <= t < 900 and not 1080 <= t < 1200]
    assert times(seen.metrics) == left
    assert times(seen.spans) == left
    assert times(seen.lines, "observed_time") == left
    assert seen.calls == {("user", "cart"): 2.0}
    assert times(read_recording(third, masked=False).case.metrics) == whole


def test_the_truth_is_not_in_what_methods_see(data: Path, cases: dict[str, RcaCase]):
    before = read_recording(cases["cart_cpu_2"]).case.metrics
    (data / "rca/two_recordings/cart_cpu_2/case.json").unlink()
    assert read_recording(cases["cart_cpu_2"]).case.metrics.equals(before)


def test_official_archives_of_rcaeval(tmp_path: Path):
    write_rcaeval(tmp_path / "RE1-XX" / "RE1-XX")
    found = rcaeval_cases(tmp_path / "RE1-XX")
    assert [(case.name, case.part, case.service, case.signal, case.fault) for case in found] == [
        (f"{service}_{fault}/{run}", "RE1-XX", service, signal, fault)
        for service, fault, signal in (("cart", "cpu", "cpu"), ("cart", "delay", "latency-90"), ("user", "f1", None))
        for run in (1, 2)
    ]
    for case in found:
        assert case.onset == (START + 30) * US
        assert times(read_recording(case).case.metrics) == list(range(60))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("cart_cpu/1/inject_time.txt", None, "missing"),
        ("cart_cpu/1/inject_time.txt", "", "empty"),
        ("cart_cpu/1/inject_time.txt", "soon", "want seconds"),
        ("cart_cpu/1/inject_time.txt", "99", "outside the recording"),
        ("cart_cpu/1/data.csv", None, "missing"),
        ("cart_cpu/1/data.csv", "time,cart_cpu\n1,2", "truncated"),
        ("cart_cpu/1/data.csv", "time,cart_cpu\n2,2\n1,2\n", "do not increase"),
        ("cart_cpu/1/data.csv", "time,user_cpu\n1,2\n", "mislabelled"),
    ],
)
def test_damaged_rcaeval_cases(tmp_path: Path, name: str, text: str | None, message: str):
    write_rcaeval(tmp_path)
    path = tmp_path / name
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=message):
        rcaeval_cases(tmp_path)


def test_a_missing_run(tmp_path: Path):
    write_rcaeval(tmp_path)
    for path in (tmp_path / "cart_cpu" / "1").iterdir():
        path.unlink()
    (tmp_path / "cart_cpu" / "1").rmdir()
    with pytest.raises(DataError, match="cart_cpu/1: missing, run 2 is there"):
        rcaeval_cases(tmp_path)


def test_a_second_column_of_a_name(tmp_path: Path):
    """As some official tables have it for `time`: the first one counts."""
    write_rcaeval(tmp_path)
    rows = "".join(f"{START + i},0,{i}\n" for i in range(60))
    (tmp_path / "cart_cpu/1/data.csv").write_text("time,time,cart_cpu\n" + rows)
    recording = read_recording(rcaeval_cases(tmp_path)[0])
    assert times(recording.case.metrics) == list(range(60))
    assert recording.case.metrics["value"].to_pylist() == list(map(float, range(60)))
