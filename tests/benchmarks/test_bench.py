"""A whole run on data in miniature: the report, going on after an interruption, the command, own methods, faults."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from benchmarks import _bench
from benchmarks._methods import GROUPS
from benchmarks._plan import Plan
from benchmarks._progress import Progress
from benchmarks.compare import compare
from benchmarks.tasks import task

NAMES = ("parsing", "detection", "sessions", "rca")
DOCS = Path(__file__).parents[2] / "docs" / "benchmarks.md"


class Shown:
    """Takes down what a progress bar would show."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int, str]] = []

    def __call__(self, done: int, total: int, label: str) -> None:
        self.seen.append((done, total, label))


@pytest.fixture(scope="module")
def report(bench_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    _bench.run(NAMES, Plan(bench_data), folder, 2, Shown())
    return folder


@pytest.fixture(scope="module")
def values(report: Path) -> dict[tuple[str, ...], dict]:
    rows = json.loads((report / "results.json").read_bytes())["results"]
    return {(r["task"], r["dataset"], r["method"], r["setting"], r["metric"]): r for r in rows}


def test_the_schema_of_the_results(report: Path):
    document = json.loads((report / "results.json").read_bytes())
    assert {"revision", "versions", "machine", "seed", "data"} <= document["meta"].keys()
    assert document["meta"]["versions"]["drain3"] == "0.9.11"
    assert document["meta"]["command"] == f"faultline bench all --data data --report {report.name}"
    assert not document["meta"]["data"]["listed"]
    assert "no SHA256SUMS beside them" in (report / "summary.md").read_text()
    assert {row["task"] for row in document["results"]} == set(NAMES)
    keys = [
        tuple(str(row[name]) for name in ("task", "dataset", "method", "setting", "metric"))
        for row in document["results"]
    ]
    assert len(set(keys)) == len(keys)
    for row in document["results"]:
        assert list(row) == ["task", "dataset", "method", "setting", "metric", "value", "n", "low", "high"]
        assert row["value"] is None or isinstance(row["value"], int | float)
        assert row["low"] is None or row["low"] - 1e-9 <= row["value"] <= row["high"] + 1e-9, row


def test_figures_that_are_known_beforehand(values):
    both = "messages, truth loghub2 (Anvil: corrected)"
    for metric in ("ga", "pa", "fga", "fta"):
        row = values["parsing", "mean", "faultline", both, metric]
        assert (row["value"], row["n"]) == (1.0, 2)
    raw = "raw lines, truth corrected"
    assert values["parsing", "mean", "faultline", raw, "ga"]["value"] == 1.0
    assert values["parsing", "mean", "faultline", raw, "pa"]["value"] == 0.0  # "INFO" alone is no header
    assert values["parsing", "Bell", "Drain3 masked", both, "ga"]["value"] == 1.0
    assert values["detection", "mean", "constant", "as scored", "nab_standard"]["value"] == 0.0
    assert values["detection", "mean", "N-sigma", "as scored", "windows_found"]["value"] == 1.0
    assert values["detection", "mean", "N-sigma", "refractory 100 points", "nab_standard"]["value"] > 50
    assert values["sessions", "made", "everything", "clean training", "recall"]["value"] == 1.0
    for method in ("faultline", "unseen vector"):
        assert values["sessions", "made", method, "clean training", "f1"]["value"] == 1.0
    for setting in (
        "onset exact",
        "onset late by max(30 s, 1 row)",
        "onset late by max(60 s, 2 rows)",
        "onset unknown",
    ):
        assert values["rca", "jump", "faultline", setting, "service_ac@1"]["value"] == 1.0
    for method in ("faultline", "N-sigma", "BARO-style robust"):
        assert values["rca", "jump", method, "onset exact", "signal_ac@1"]["value"] == 1.0
    assert values["rca", "jump", "random", "onset exact", "service_ac@3"]["value"] == 1.0  # of three services


def test_what_cannot_be_measured_is_printed_as_such(report: Path, values):
    assert values["rca", "unknown", "faultline", "onset exact", "service_ac@1"]["value"] is None
    assert values["rca", "unknown", "faultline", "onset unknown", "service_ac@1"]["n"] == 1
    reasons = json.loads((report / "results.json").read_bytes())["meta"]["not_measured"]
    assert any("does not know when" in row["why"] and row["dataset"] == "unknown" for row in reasons)
    assert "does not know when" in (report / "summary.md").read_text()


def test_the_page_fetches_nothing_and_names_formulas(report: Path):
    page = (report / "index.html").read_text()
    tags: list[tuple[str, dict]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.append((tag, dict(attrs)))

    Reader().feed(page)
    assert not any(
        tag in ("script", "img", "link", "iframe") or {"src", "href", "srcset"} & attrs.keys() for tag, attrs in tags
    )
    assert "url(" not in page
    assert "@import" not in page
    assert sum(tag == "svg" for tag, _ in tags) >= 4
    for words in (
        "mean m and standard deviation s of the 288 points before",
        "|x - median(R)| / IQR(R)",
        "span of 288 points",
    ):
        assert words in page


def test_a_second_run_goes_on_where_the_first_stopped(bench_data: Path, report: Path, tmp_path: Path):
    copy = tmp_path / "report"
    shutil.copytree(report, copy)
    kept = sorted((copy / "cases").iterdir())
    kept[0].unlink()
    kept[1].write_text("{")  # a write that was cut off
    before = (copy / "results.json").read_bytes()
    shown = Shown()
    _bench.run(NAMES, Plan(bench_data), copy, 1, shown)
    done = [one for one in shown.seen if one[1]]
    assert done[0][0] == done[0][1] - 2
    assert len(done) == 3
    assert "kept from an earlier run" in done[0][2]
    rows = [row for row in json.loads(before)["results"] if "seconds" not in row["metric"]]
    again = [
        row for row in json.loads((copy / "results.json").read_bytes())["results"] if "seconds" not in row["metric"]
    ]
    assert rows == again
    assert "0 of" in compare(report, report)


def test_progress_says_at_once_what_was_kept(capsys: pytest.CaptureFixture[str]):
    progress = Progress()
    for done, total, label in ((0, 0, "reading"), (7, 9, "7 kept from an earlier run"), (8, 9, "a"), (9, 9, "b")):
        progress(done, total, label)
    progress.close()
    assert [line.split("] ")[1] for line in capsys.readouterr().err.splitlines()] == [
        "reading",
        "7/9 7 kept from an earlier run",
        "9/9 b",
    ]


def run_command(tmp_path: Path, *arguments: object, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | ({"PYTHONPATH": searched(path)} if path else {})
    command = [sys.executable, "-m", "faultline", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)


def searched(path: Path) -> str:
    return f"{path}{os.pathsep}{Path(__file__).parents[2]}"


def install(folder: Path, code: str, group: str, entry: str) -> None:
    """Lay out a package as an installer would."""
    (folder / "long_sessions.py").write_text(code)
    about = folder / "long_sessions-1.0.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: long-sessions\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")


def test_the_documented_example_of_an_own_method(bench_data: Path, tmp_path: Path):
    text = DOCS.read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    group, entry = re.search(r'entry-points\."([\w.]+)"\]\n(.+)\n', text).groups()
    plugins = tmp_path / "site"
    plugins.mkdir()
    install(plugins, code, group, entry.replace('"', ""))
    out = tmp_path / "report"
    done = run_command(tmp_path, "bench", "sessions", "--data", bench_data, "--report", out, path=plugins)
    assert done.returncode == 0, done.stderr
    assert "by-length" in done.stdout
    assert "faultline" in done.stdout
    rows = json.loads((out / "results.json").read_bytes())["results"]
    assert any(row["method"] == "by-length" and row["metric"] == "f1" and row["value"] > 0.9 for row in rows)
    assert "longer than all of the training sessions" in (out / "index.html").read_text()

    install(
        plugins,
        "def by_length(train, test):\n    raise RuntimeError('no <b>idea</b>')\n",
        group,
        entry.replace('"', ""),
    )
    failed = run_command(tmp_path, "bench", "sessions", "--data", bench_data, "--report", out, path=plugins)
    assert failed.returncode == 1
    line = failed.stderr.strip().splitlines()[-1]
    assert "method 'by-length' failed on sessions made" in line
    assert "RuntimeError: no <b>idea</b>" in line
    assert "Traceback" not in failed.stderr


SESSIONS = "faultline.session_detectors", "own = long_sessions:by_length"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "a worker process was killed, .* sessions made .*own"),
        ("sys.exit(0)", "method 'own' failed on sessions made clean training own: SystemExit|SystemExit: 0"),
    ],
)
def test_a_worker_that_ends_ends_the_run_loudly(bench_data: Path, tmp_path: Path, body: str, words: str):
    install(tmp_path, f"import os, signal, sys\ndef by_length(train, test):\n    {body}\n", *SESSIONS)
    out = tmp_path / "report"
    done = run_command(tmp_path, "bench", "sessions", "--data", bench_data, "--report", out, path=tmp_path)
    assert done.returncode == 1
    assert re.search(words, done.stderr.splitlines()[-1])
    assert "Traceback" not in done.stderr
    assert not (out / "results.json").exists()


def test_a_method_whose_module_exits_ends_the_run_loudly(bench_data: Path, tmp_path: Path):
    install(tmp_path, "raise SystemExit(0)\n", *SESSIONS)
    done = run_command(tmp_path, "bench", "sessions", "--data", bench_data, "--report", tmp_path / "r", path=tmp_path)
    assert done.returncode == 1
    assert "called exit(0)" in done.stderr


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_workers_end_with_their_run(bench_data: Path, tmp_path: Path, how: int, code: int):
    body = f"    open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n    time.sleep(60)\n"
    install(tmp_path, f"import os, time\ndef by_length(train, test):\n{body}", *SESSIONS)
    command = [sys.executable, "-m", "faultline", "bench", "sessions", "--data", bench_data, "--report", tmp_path / "r"]
    environment = os.environ | {"PYTHONPATH": searched(tmp_path)}
    with subprocess.Popen(
        list(map(str, command)), env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as run:
        written = wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        run.send_signal(how)
        _, said = run.communicate(timeout=30)
    assert run.returncode == code
    assert how == signal.SIGKILL or said.splitlines()[-1] == "faultline: error: interrupted; run again to go on"
    wait_for(lambda: not alive(int(written)))


def wait_for(what: Callable[[], Any]) -> Any:
    until = time.monotonic() + 60
    while not (found := what()):
        assert time.monotonic() < until, "did not come"
        time.sleep(0.02)
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_an_own_method_cannot_take_a_name_in_use(bench_data: Path, tmp_path: Path):
    install(
        tmp_path,
        "def f(train, test):\n    return [], 0\n",
        "faultline.session_detectors",
        "faultline = long_sessions:f",
    )
    done = run_command(tmp_path, "bench", "sessions", "--data", bench_data, "--report", tmp_path / "r", path=tmp_path)
    assert done.returncode == 2
    assert "has the name of a built-in method" in done.stderr


@pytest.mark.parametrize(
    ("task", "damage", "words"),
    [
        ("parsing", lambda data: (data / "parsing/Bell/Bell_2k.log").unlink(), "missing"),
        ("detection", lambda data: (data / "nab/data/wild/one.csv").write_text(""), "empty"),
        ("sessions", lambda data: cut(data / "sessions/made.jsonl"), "truncated"),
        ("rca", lambda data: relabel(data / "rca/jump/cart_cpu_2/case.json"), "mislabelled"),
    ],
)
def test_faulty_data_ends_the_run_before_it_begins(bench_data: Path, tmp_path: Path, task: str, damage, words: str):
    data = tmp_path / "data"
    shutil.copytree(bench_data, data)
    damage(data)
    with pytest.raises(Exception, match=words) as raised:
        _bench.run((task,), Plan(data), tmp_path / "report", 1, Shown())
    assert raised.value.exit_code == 1
    assert not (tmp_path / "report" / "results.json").exists()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def relabel(path: Path) -> None:
    path.write_text(path.read_text().replace('"cart"', '"nobody"'))


def test_entry_point_groups_are_those_of_the_tasks():
    groups = [task(name).GROUP for name in NAMES]
    assert sorted(groups) == sorted(GROUPS)
    text = DOCS.read_text()
    assert all(f"| `{group}` |" in text for group in groups)
