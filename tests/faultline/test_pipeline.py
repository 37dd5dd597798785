"""The whole way, on files: what goes in is stored once, whatever happens in between."""

import random
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from contents import CONTENT, content

from faultline.pipeline import Accounting, run_pipeline
from faultline.settings import load
from ingest import FilesSource
from simulation import FilesSink, make_fault, simulate
from storage import Store

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
MINUTES = 24


def run(telemetry: Path, store: Path) -> Accounting:
    source = FilesSource([telemetry], once=True)
    return run_pipeline(source, Store.open(store), load(), once=True, stop=threading.Event())


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    fault = make_fault("code_exception", "high", "payment", start=1100.0)
    with FilesSink(folder) as sink:
        simulate(sink, start=START, seconds=MINUTES * 60, seed=5, faults=[fault])
    return folder


@pytest.fixture(scope="module")
def unkilled(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Accounting, Path]:
    store = tmp_path_factory.mktemp("unkilled")
    return run(shop, store), store


def test_every_line_point_and_span_is_accounted_for(shop: Path, unkilled: tuple[Accounting, Path]):
    accounting, store = unkilled
    lines = sum(sum(1 for _ in path.open("rb")) for path in (shop / "logs").iterdir())
    spans = sum(1 for _ in (shop / "spans.jsonl").open("rb"))
    held = content(store)
    total = accounting.total
    assert total.balanced
    assert total.stored == len(held["logs"]) + len(held["metrics"]) + len(held["spans"])
    assert len(held["logs"]) + total.joined == lines
    assert len(held["spans"]) == spans
    assert sum(row["sum(count)"] for row in held["log_counts"]) == len(held["logs"])
    assert sum(row["count"] for row in held["templates"]) == len(held["logs"])
    assert all("truth" not in row["source"] for row in held["logs"])


def test_the_fault_opens_an_incident_with_ranked_suspects(unkilled: tuple[Accounting, Path]):
    held = content(unkilled[1])
    began = START.timestamp() + 1100
    opened = [i for i in held["incidents"] if began <= i["opened"].timestamp() <= began + 300]
    assert opened
    suspects = {s["service"]: s["rank"] for s in held["suspects"] if s["incident_id"] == opened[-1]["id"]}
    assert suspects["payment"] == 1


def test_a_second_run_over_the_same_files_adds_nothing(shop: Path, unkilled: tuple[Accounting, Path]):
    before = content(unkilled[1])
    run(shop, unkilled[1])
    assert content(unkilled[1]) == before


def kill_and_finish(command: list[str], store: Path, kills: int, seed: int) -> int:
    """Start `command`, kill -9 it at random moments, and let the last run end; return how often it was killed."""
    moments = random.Random(seed)
    killed = 0
    while killed < kills:
        position = _ledger_files(store)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and _ledger_files(store) == position:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 1.2))
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        killed += 1
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return killed


def _ledger_files(store: Path) -> int:
    log = store / "ledger" / "_delta_log"
    return len(list(log.iterdir())) if log.is_dir() else 0


def test_kill_9_at_any_moment_loses_nothing_and_doubles_nothing(
    shop: Path, unkilled: tuple[Accounting, Path], tmp_path: Path
):
    """The tables of a run killed again and again equal those of one left alone, anomalies and incidents included."""
    store = tmp_path / "killed"
    command = [
        sys.executable,
        "-m",
        "faultline",
        "run",
        "--source",
        "files",
        str(shop),
        "--once",
        "--store",
        str(store),
    ]
    kills = kill_and_finish(command, store, kills=5, seed=7)
    assert kills >= 3, "the run was over before it could be killed: make the input longer"
    killed, whole = content(store), content(unkilled[1])
    for name in CONTENT:
        assert killed[name] == whole[name], name


@pytest.mark.soak
def test_forty_kills_in_a_row(tmp_path: Path):
    """Four hours of a failing shop, killed up to forty times, equal the same hours left alone."""
    with FilesSink(tmp_path / "shop") as sink:
        simulate(sink, start=START, seconds=4 * 3600, seed=9, faults="schedule")
    run(tmp_path / "shop", tmp_path / "whole")
    command = [
        sys.executable,
        "-m",
        "faultline",
        "run",
        "--source",
        "files",
        str(tmp_path / "shop"),
        "--once",
        "--store",
    ]
    assert kill_and_finish([*command, str(tmp_path / "killed")], tmp_path / "killed", kills=40, seed=10) >= 20
    killed, whole = content(tmp_path / "killed"), content(tmp_path / "whole")
    for name in CONTENT:
        assert killed[name] == whole[name], name


def test_sigterm_drains_and_the_next_run_goes_on(shop: Path, unkilled: tuple[Accounting, Path], tmp_path: Path):
    store = tmp_path / "drained"
    command = [sys.executable, "-m", "faultline", "run", "--source", "files", str(shop), "--store", str(store)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while _ledger_files(store) < 3:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    run(shop, store)
    drained, whole = content(store), content(unkilled[1])
    for name in ("logs", "metrics", "spans", "templates", "log_counts"):
        assert drained[name] == whole[name], name
