"""The whole way, on files: what goes in is stored once, whatever happens in between."""

import random
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from faultline.pipeline import Accounting, run_pipeline
from faultline.settings import load
from ingest import FilesSource
from simulation import Chunk, FilesSink, KafkaSink, Sink, make_fault, simulate
from storage import Store

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
MINUTES = 24

CONTENT = {
    "logs": 'SELECT time, service, component, severity_number, body, template_id, params, source, "offset", line, late'
    " FROM raw_logs ORDER BY ALL",
    "metrics": 'SELECT time, service, metric, value, source, "offset", late FROM raw_metrics ORDER BY ALL',
    "spans": 'SELECT time, trace_id, span_id, service, status, "offset", late FROM raw_spans ORDER BY ALL',
    "templates": "SELECT template_id, service, template, count, first_seen, last_seen FROM templates ORDER BY ALL",
    "lineage": "SELECT time, kind, from_id, to_id FROM raw_lineage ORDER BY ALL",
    "log_counts": "SELECT minute, service, severity_number, template_id, sum(count) FROM log_counts GROUP BY ALL"
    " ORDER BY ALL",
    "anomalies": "SELECT * FROM raw_anomalies ORDER BY ALL",
    "incidents": "SELECT * FROM raw_incidents ORDER BY ALL",
    "incident_events": "SELECT * FROM raw_incident_events ORDER BY ALL",
    "suspects": "SELECT * EXCLUDE (evidence) FROM raw_suspects ORDER BY ALL",
    "ledger": "SELECT app_id, max(read), max(stored), max(joined), max(dead_lettered), max(filtered), bool_or(closed)"
    " FROM raw_ledger GROUP BY ALL ORDER BY ALL",
}


def content(store: Path) -> dict[str, list[dict[str, Any]]]:
    """What a store holds, apart from how many commits it took."""
    with Store.open(store, create=False).reader() as reader:
        return {name: reader.query(sql).to_pylist() for name, sql in CONTENT.items()}


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


class Counting:
    """Counts what goes into a sink, independently of what comes out of the pipeline."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.truth, self.close = sink.truth, sink.close
        self.lines = self.points = self.spans = 0

    def write(self, chunk: Chunk) -> None:
        self._sink.write(chunk)
        self.lines += sum(text.count("\n") + 1 for texts in chunk.logs.values() for text in texts)
        self.points += sum(len(orjson.loads(text)["metrics"]) for text in chunk.metrics)
        self.spans += len(chunk.spans)


@pytest.mark.kafka
def test_kafka_read_exactly_once_through_kill_9(kafka_broker: Any, tmp_path: Path):
    """What the simulator produced into a real broker arrives once, killed or not."""
    topics = tuple(f"{kind}-{tmp_path.name}" for kind in ("logs", "metrics", "spans"))
    with KafkaSink(kafka_broker.bootstrap, topics=topics) as sink:
        counted = Counting(sink)
        fault = make_fault("dependency_down", "high", "orders-db", start=400.0)
        simulate(counted, start=START, seconds=600, seed=6, faults=[fault])
    command = [sys.executable, "-m", "faultline", "run", "--source", "kafka", "--bootstrap", kafka_broker.bootstrap]
    command += [word for topic in topics for word in ("--topic", topic)] + ["--once", "--store"]
    calm = subprocess.run([*command, str(tmp_path / "calm")], capture_output=True, text=True, timeout=200)
    assert calm.returncode == 0, calm.stderr
    assert kill_and_finish([*command, str(tmp_path / "killed")], tmp_path / "killed", kills=3, seed=8) >= 2
    killed, whole = content(tmp_path / "killed"), content(tmp_path / "calm")
    assert (len(whole["metrics"]), len(whole["spans"])) == (counted.points, counted.spans)
    assert len(whole["logs"]) + sum(row["max(joined)"] for row in whole["ledger"]) == counted.lines
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
