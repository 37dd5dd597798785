"""What changed between two reports, and whether it is more than noise."""

import json
from pathlib import Path

import pytest

from benchmarks._figures import Figure, Place
from benchmarks.compare import changes, compare, read_report
from benchmarks.report import write_report
from telemetry import SourceError

META = {
    "revision": "abc",
    "versions": {"python": "3.11"},
    "machine": {"cores": 2, "processor": "<i>fast</i>", "memory_gib": 4},
    "seed": 0,
    "data": {"folder": "data", "checksums": {"rca": "1"}},
    "date": "2030-01-01T00:00:00Z",
    "command": "faultline bench rca --data data --report out",
    "tasks": ["rca"],
    "methods": {"rca": {"<b>m|": "<script>alert(1)</script>"}},
}
PLACE = Place("rca", "set", "<b>m|", "exact", 0)


def written(folder: Path, figures: list[Figure], meta: dict = META) -> Path:
    folder.mkdir()
    write_report(folder, meta, figures)
    return folder


def test_a_steady_gain_is_more_than_noise_and_a_mixed_one_is_not(tmp_path: Path):
    before = {f"c{i}": i % 4 / 4 for i in range(20)}
    steady = {name: value + 0.2 for name, value in before.items()}
    mixed = {name: value + (0.5 if i % 2 else -0.45) for i, (name, value) in enumerate(before.items())}
    a = written(tmp_path / "a", [PLACE.mean("steady", before), PLACE.mean("mixed", before), PLACE.one("alone", 1.0, 1)])
    b = written(tmp_path / "b", [PLACE.mean("steady", steady), PLACE.mean("mixed", mixed), PLACE.one("alone", 2.0, 1)])
    found = {one.key[-1]: one for one in changes(read_report(a), read_report(b))}
    assert found["steady"].verdict == "more than noise"
    assert found["steady"].low == pytest.approx(0.2)
    assert found["mixed"].verdict == "within noise"
    assert found["alone"].verdict == "no interval"
    assert "3 of 3 figures differ" in compare(a, b)


def test_ratios_are_compared_case_by_case(tmp_path: Path):
    parts = {f"c{i}": [float(i), 10.0] for i in range(1, 9)}
    more = {name: [over + 1, under] for name, (over, under) in parts.items()}
    a = written(tmp_path / "a", [PLACE.ratio("nab", parts, scale=100.0)])
    b = written(tmp_path / "b", [PLACE.ratio("nab", more, scale=100.0)])
    (one,) = changes(read_report(a), read_report(b))
    assert one.b - one.a == pytest.approx(10.0)
    assert (one.low, one.high) == (pytest.approx(10.0), pytest.approx(10.0))


def test_other_cases_claim_nothing_and_other_data_is_said(tmp_path: Path):
    a = written(tmp_path / "a", [PLACE.mean("x", {"c1": 0.0, "c2": 1.0})])
    other = META | {"data": {"folder": "data", "checksums": {"rca": "2"}}}
    b = written(tmp_path / "b", [PLACE.mean("x", {"c1": 1.0, "c3": 1.0})], other)
    assert [one.verdict for one in changes(read_report(a), read_report(b))] == ["no interval"]
    assert "data of rca differ" in compare(a, b)
    assert "machines differ" not in compare(a, b)
    elsewhere = written(tmp_path / "c", [], META | {"machine": META["machine"] | {"cores": 4}})
    assert "machines differ" in compare(a, elsewhere)


def test_a_folder_that_is_no_report(tmp_path: Path):
    (tmp_path / "results.json").write_text("[]")
    with pytest.raises(SourceError, match="no report"):
        read_report(tmp_path)


def test_the_summary_begins_with_all_in_short(tmp_path: Path):
    ours, peer, away = (Place("rca", "mean", method, "exact", 0) for method in ("faultline", "N-sigma", "by age"))
    speed = [Place("throughput", "parse", method, "", 0) for method in ("faultline", "Drain3")]
    figures = [
        ours.mean("service_avg@5", {"a": 0.25, "b": 0.75}),
        peer.mean("service_avg@5", {"a": 0.25, "b": 0.5}),
        away.missing("service_avg@5", "no onset"),
        ours.mean("service_ac@1", {"a": 0.0, "b": 0.5}),
        speed[0].one("lines_per_s", 1000.0, 1),
        speed[1].one("lines_per_s", 10.0, 1),
        Place("throughput", "parse", "faultline", "Drain3", 0).one("ratio:lines_per_s", 100.0, 1),
        Place("throughput", "Kafka", "faultline", "", 0).missing("lines_per_s", "no broker"),
    ]
    folder = written(tmp_path / "a", figures, META | {"tasks": ["rca", "throughput"]})
    lines = (folder / "summary.md").read_text().splitlines()
    assert lines[2] == "`faultline bench rca --data data --report out`"
    assert lines[6:13] == [
        "| task | measured on | figure | n | faultline | peers |",
        "| --- | --- | --- | --- | --- | --- |",
        r"| rca | exact | service_avg@5 | 2 | 0.500 \[0.250, 0.750\] | N-sigma 0.375 |",
        "| throughput | parse | lines_per_s | 1 | 1000.0 | Drain3 10.0 |",
        "| throughput | parse | ratio:lines_per_s | 1 | 100.0 | Drain3 = 1 |",
        "| throughput | Kafka | lines_per_s | 0 | not measured |  |",
        "",
    ]
    page = (folder / "index.html").read_text()
    assert ">parse · faultline · Drain3</text>" in page  # what a bar is of
    assert page.index(">faultline · exact</text>") < page.index(">N-sigma · exact</text>")


def test_hostile_names_stay_text(tmp_path: Path):
    folder = written(
        tmp_path / "a", [PLACE.mean("<img src=x>", {"c1": 0.5, "c2": 1.0}), PLACE.missing("y", "</table>")]
    )
    page = (folder / "index.html").read_text()
    assert "<script>" not in page
    assert "<img" not in page
    assert "<b>m" not in page
    assert "&lt;script&gt;" in page
    summary = (folder / "summary.md").read_text()
    assert r"\<b\>m\|" in summary
    rows = json.loads((folder / "results.json").read_bytes())["results"]
    assert rows[1]["value"] is None
