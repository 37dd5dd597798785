"""Several workers, one consumer group, one set of tables: the results of one worker."""

import os
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from contents import CONTENT, Counting, content

from simulation import KafkaSink, make_fault, simulate
from storage import Store

pytestmark = pytest.mark.kafka
START = datetime(2026, 1, 5, 8, tzinfo=UTC)


class Crew:
    """Workers of one group on one store; who is killed is started again at once."""

    def __init__(self, command: list[str], store: Path, names: list[str]) -> None:
        self._command, self._folder, self._group = [*command, "--store", str(store)], store.parent, str(store)
        self.running = {name: self._start(name) for name in names}

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        settings = {"KAFKA_GROUP": self._group, "KAFKA_GROUP_INSTANCE_ID": name, "COMMIT_INTERVAL_S": "0.3"}
        environment = {**os.environ, **{f"FAULTLINE_{key}": value for key, value in settings.items()}}
        with (self._folder / f"{name}.err").open("ab") as said:
            return subprocess.Popen(self._command, env=environment, stdout=subprocess.DEVNULL, stderr=said)

    def kill(self, name: str) -> None:
        self.running[name].kill()
        self.running[name].wait()
        self.running[name] = self._start(name)

    def finish(self, seconds: float = 200) -> None:
        deadline = time.monotonic() + seconds
        for name, process in self.running.items():
            code = process.wait(max(1.0, deadline - time.monotonic()))
            assert code == 0, (name, code, (self._folder / f"{name}.err").read_text()[-2000:])


def writers(store: Path) -> set[str]:
    """Who has written to the ledger of a store so far."""
    if not Store.exists(store):
        return set()
    with Store.open(store, create=False).reader() as reader:
        return set(reader.query("SELECT DISTINCT worker FROM raw_ledger")["worker"].to_pylist())


def wait_for(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_workers_one_of_them_killed_store_and_find_what_one_does(kafka_broker: Any, tmp_path: Path):
    topics = tuple(f"{kind}-{uuid.uuid4().hex[:8]}" for kind in ("logs", "metrics", "spans"))
    with KafkaSink(kafka_broker.bootstrap, topics=topics) as sink:
        counted = Counting(sink)
        fault = make_fault("dependency_down", "high", "orders-db", start=400.0)
        simulate(counted, start=START, seconds=600, seed=6, faults=[fault])
    command = [sys.executable, "-m", "faultline", "run", "--source", "kafka", "--bootstrap", kafka_broker.bootstrap]
    command += [word for topic in topics for word in ("--topic", topic)] + ["--once"]
    Crew(command, tmp_path / "one", ["only"]).finish()
    names = ["first", "second"]
    crew = Crew(command, tmp_path / "two", names)
    wait_for(lambda: writers(tmp_path / "two"))
    crew.kill(next(iter(writers(tmp_path / "two"))))
    crew.finish()
    one, two = content(tmp_path / "one"), content(tmp_path / "two")
    assert (len(one["metrics"]), len(one["spans"])) == (counted.points, counted.spans)
    assert len(one["logs"]) + sum(row["max(joined)"] for row in one["ledger"]) == counted.lines
    assert one["incidents"]
    for name in CONTENT:
        assert two[name] == one[name], name
    assert writers(tmp_path / "two") == set(names)
