"""`faultline run --source otlp` as a process: what was acknowledged survives kill -9, and nothing is doubled."""

import contextlib
import http.client
import json
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

from faultline.pipeline import Pipeline
from faultline.settings import load
from ingest import OtlpSource
from storage import Store

from .test_run import environment, free_port

KILLS = 2


def request(number: int) -> bytes:
    """Ten log records, each with an id of its own."""
    now = time.time_ns()
    records = [
        {"time_unix_nano": now, "body": {"string_value": f"order {number * 10 + i} taken"}, "severity_number": 9}
        for i in range(10)
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"string_value": "cart"}}]}
    groups = [{"resource": resource, "scope_logs": [{"log_records": records}]}]
    return LogsData(resource_logs=groups).SerializeToString()


class Sender(threading.Thread):
    """Sends requests one after the other, none of them twice, and notes which were acknowledged."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.stop = port, threading.Event()
        self.sent, self.acknowledged = 0, set()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self.stop.is_set():
            number, self.sent = self.sent, self.sent + 1
            try:
                connection.request("POST", "/v1/logs", request(number), {"Content-Type": "application/x-protobuf"})
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self.acknowledged.add(number)
            except (OSError, http.client.HTTPException):
                connection.close()
                time.sleep(0.05)
        connection.close()


def wait_until(condition, seconds=90.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_kill_9_between_acknowledged_requests_loses_and_doubles_nothing(faultline, tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "faultline", "run", "--source", "otlp", "--listen", f"127.0.0.1:{port}"]
    sender, luck = Sender(port), random.Random(1)
    sender.start()
    for kill in range(KILLS):
        with (tmp_path / f"run{kill}.log").open("w") as out:
            process = subprocess.Popen([*command, "--store", "s"], cwd=tmp_path, env=environment(), stderr=out)
        before = len(sender.acknowledged)
        wait_until(lambda before=before: len(sender.acknowledged) > before + 20)
        time.sleep(luck.uniform(0.1, 2.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
    sender.stop.set()
    sender.join(30)
    drained = faultline("run", "--source", "otlp", "--once", "--store", "s", "--json")
    assert drained.returncode == 0, drained.stderr
    account = json.loads(drained.stdout)
    found = faultline("sql", "select body from logs", "--store", "s", "--json", "--limit", "0")
    assert found.returncode == 0, found.stderr
    stored = [int(row["body"].split()[1]) for row in json.loads(found.stdout)]
    assert len(stored) == len(set(stored)) == account["stored"], "nothing is there twice"
    wanted = {number * 10 + i for number in sender.acknowledged for i in range(10)}
    assert wanted <= set(stored), "what was acknowledged is there"
    assert len(wanted) >= KILLS * 200
    unanswered = sender.sent - len(sender.acknowledged)
    assert len(stored) - len(wanted) <= 10 * unanswered


def test_the_journal_keeps_what_the_last_three_snapshots_may_need(tmp_path):
    source = OtlpSource(tmp_path / "journal", once=True, segment=1)
    told: list[int] = []
    real = source.acknowledge

    def acknowledge(positions):
        told.extend(positions.values())
        real(positions)

    source.acknowledge = acknowledge
    pipeline = Pipeline(source, Store.open(tmp_path / "store"), load())
    reached = [0]
    for number in range(6):
        source._journal.append(0, time.time_ns() // 1000, request(number))
        pipeline.step()
        pipeline.flush(snapshot=True)
        reached.append(source._journal.end)
    assert told
    assert set(told) <= set(reached[:-2])
    assert source._journal.begin == told[-1] == reached[-3]
    source.close()


def test_a_signal_ends_it_in_good_order_and_a_second_one_is_told_that_the_journal_is_in_use(faultline, tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "faultline", "run", "--source", "otlp", "--listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        [*command, "--store", "s", "--json"], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
    )
    sender = Sender(port)
    sender.start()
    try:
        wait_until(lambda: len(sender.acknowledged) > 5)
        second = faultline("run", "--source", "otlp", "--listen", f"127.0.0.1:{free_port()}", "--store", "s")
        assert second.returncode == 1
        assert "the journal in " in second.stderr
        assert "is in use by another process" in second.stderr
        sender.stop.set()
        sender.join(30)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    finally:
        sender.stop.set()
        process.kill()
    assert process.returncode == 0
    assert json.loads(out)["stored"] == 10 * len(sender.acknowledged)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--source", "otlp", "--listen", "nonsense"], "otlp.listen = 'nonsense' in the command line"),
        (["--source", "stdin", "--listen", "127.0.0.1:1"], "--listen belongs to --source otlp"),
        (["--source", "otlp", "--service", "x"], "--service belongs to"),
    ],
)
def test_wrong_options_are_one_line(faultline, tmp_path, arguments, part):
    done = faultline("run", *arguments, "--store", "s")
    assert done.returncode in (1, 2)
    assert part in done.stderr
    with contextlib.suppress(FileNotFoundError):
        assert not list((tmp_path / "s").iterdir())
