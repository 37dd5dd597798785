"""`faultline run` as a process: accounting, restarts, signals, standard input, metrics and hostile input."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOG = "".join(f"2026-01-05 08:00:{n:02d},000 INFO shop.Cart - added {n}\n" for n in range(30))
SPAN = '{"time":"2026-01-05T08:00:00.5Z","duration_us":1200,"trace_id":"%s","span_id":"%s","parent_span_id":null,'
SPAN += '"service":"cart","operation":"add","status":"ok"}\n'


def write_input(folder: Path) -> Path:
    (folder / "logs").mkdir(parents=True)
    (folder / "truth").mkdir()
    (folder / "logs/cart.log").write_text(LOG + "Traceback\n  at x\n\n")
    (folder / "logs/odd.log").write_bytes(b"2026-01-05 08:00:01 INFO \xff\0 odd\n")
    points = [{"time": f"2026-01-05T08:00:{n:02d}Z", "service": "cart", "metrics": {"cpu": n / 9}} for n in range(30)]
    text = "".join(json.dumps(point) + "\n" for point in points)
    (folder / "metrics.jsonl").write_text(
        text + '{"time":"2026-01-05T08:00:31Z","service":"cart","metr\n' + "[" * 10**5 + "\n"
    )
    (folder / "spans.jsonl").write_text(SPAN % ("a" * 32, "b" * 16))
    (folder / "empty.log").touch()
    (folder / "truth/faults.json").write_text("[]")
    return folder


def test_run_once_accounts_for_every_line_and_a_second_run_adds_nothing(faultline, tmp_path):
    write_input(tmp_path / "in")
    run = ("run", "--source", "files", "in", "--once", "--store", "s")
    first = faultline(*run, "--json")
    assert first.returncode == 0, first.stderr
    account = json.loads(first.stdout)
    fates = {name: account[name] for name in ("stored", "joined", "dead_lettered", "filtered")}
    assert fates == {"stored": 62, "joined": 2, "dead_lettered": 2, "filtered": 1}
    assert account["read"] == 67
    assert {Path(entry["path"]).name for entry in account["skipped"]} == {"truth", "empty.log"}
    again = faultline(*run)
    assert again.returncode == 0, again.stderr
    assert "read 67 = 62 stored + 2 joined + 2 dead-lettered + 1 filtered" in again.stdout
    counts = "select (select count(*) from logs), (select count(*) from metrics), (select count(*) from spans)"
    assert faultline("sql", counts, "--store", "s", "--csv").stdout.splitlines()[1] == "31,30,1"


def test_standard_input_is_read_to_its_end_and_drained(tmp_path):
    command = [
        sys.executable,
        "-m",
        "faultline",
        "run",
        "--source",
        "stdin",
        "--once",
        "--service",
        "web",
        "--store",
        "s",
    ]
    done = subprocess.run(
        [*command, "--json"], input=LOG, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stored"] == 30


def environment(**more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FAULTLINE_")}
    return clean | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | more


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_exits_0_with_metrics_served_meanwhile(tmp_path, number):
    write_input(tmp_path / "in")
    port = free_port()
    command = [sys.executable, "-m", "faultline", "run", "--source", "files", "in", "--store", "s"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment(FAULTLINE_METRICS_PORT=str(port), FAULTLINE_WINDOWS_IDLE_S="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for_metric(port, process, 'fate="read",partition="in/logs/cart.log/0"} 33')
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            assert json.load(answer)["status"] == "ok"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "read 67 = 62 stored" in out
    assert "Traceback (most" not in err


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_metric(port: int, process: "subprocess.Popen[str]", wanted: str) -> None:
    """Wait until /metrics shows a sample."""
    text = ""
    deadline = time.monotonic() + 60
    while wanted not in text:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, text
        time.sleep(0.1)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            continue


def test_a_folder_without_rights_is_skipped_and_the_rest_goes_on(faultline, tmp_path):
    write_input(tmp_path / "in")
    (tmp_path / "in/secret").mkdir(mode=0)
    done = faultline("run", "--source", "files", "in", "--once", "--store", "s", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stored"] == 62
