"""Measure restarts: `python -m benchmarks.restart --bootstrap HOST:PORT FOLDER [--kills N] [--rate N]`.

Lines flow into a new topic all the time. A worker (`faultline run`, with a static member id and a store in FOLDER) is
killed with SIGKILL and started again. Reported are the seconds and the CPU seconds of the worker from the start of its
process to the first row that was not in the store before, and how long a row takes from its sender until this process,
which polls the store, can read it while the worker runs.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ingest import fill_topic
from storage import Store

_LINES_A_MESSAGE = 50
_POLL_S = 0.02
_GIVE_UP_S = 120.0


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Flow:
    """Lines written to a topic at a steady rate, until stopped."""

    def __init__(self, bootstrap: str, topic: str, rate: int) -> None:
        self._rate, self._stop = rate, threading.Event()
        fill = partial(fill_topic, bootstrap, topic, self._messages(), partitions=1)
        self._thread = threading.Thread(target=fill, daemon=True)
        self._thread.start()

    def _messages(self) -> Iterator[tuple[str, str]]:
        began, sent = time.monotonic(), 0
        while not self._stop.wait(max(0.0, began + sent / self._rate - time.monotonic())):
            now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
            lines = (
                f"{now}.{n % 1000:03d}Z INFO shop.cart: user {n} put item {n * 7 % 9973} into cart {n % 512:x}"
                for n in range(sent, sent + _LINES_A_MESSAGE)
            )
            yield f"service{sent // _LINES_A_MESSAGE % 8}", "\n".join(lines)
            sent += _LINES_A_MESSAGE

    def stop(self) -> None:
        """Send no more."""
        self._stop.set()
        self._thread.join()


class Worker:
    """`faultline run` on a topic."""

    def __init__(self, bootstrap: str, topic: str, store: Path) -> None:
        self._command = [sys.executable, "-m", "faultline", "run", "--source", "kafka", "--store", str(store)]
        self._command += ["--bootstrap", bootstrap, "--topic", topic]
        self._env = os.environ | {"FAULTLINE_KAFKA_GROUP": topic, "FAULTLINE_KAFKA_GROUP_INSTANCE_ID": "one"}
        self._log = store.parent / "worker.log"

    def start(self) -> float:
        """Start the process; return when."""
        with self._log.open("ab") as log:
            began = time.monotonic()
            self._process = subprocess.Popen(self._command, env=self._env, stdout=log, stderr=log)  # noqa: S603 - fixed
        return began

    def cpu_s(self) -> float:
        """Return the CPU seconds the process has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self) -> tuple[float, float]:
        """Return the resident memory of the process, and the part of it that no file is behind."""
        status = Path(f"/proc/{self._process.pid}/status").read_text("ascii").splitlines()
        found = dict(line.split(":", 1) for line in status)
        return int(found["VmRSS"].split()[0]) / 1024, int(found["RssAnon"].split()[0]) / 1024

    def kill(self) -> None:
        """Kill it without notice."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


class Watch:
    """Sees new rows of `logs` as another process does."""

    def __init__(self, store: Path) -> None:
        self._reader = Store.open(store).reader()
        self._seen = [-1]

    def new(self) -> npt.NDArray[np.float64]:
        """Return when the rows not seen before were sent (s since the epoch)."""
        if not self._reader.refresh():
            return np.empty(0)
        columns = '"offset" AS at, epoch_us(observed_time) / 1e6 AS sent'
        rows = self._reader.query(f'SELECT {columns} FROM raw_logs WHERE "offset" > ?', self._seen)  # noqa: S608 - fixed
        self._seen = [max([*self._seen, *rows["at"].to_pylist()])]
        return np.asarray(rows["sent"].to_numpy())

    def wait(self) -> None:
        """Wait for a new row."""
        deadline = time.monotonic() + _GIVE_UP_S
        while not len(self.new()):
            if time.monotonic() > deadline:
                raise SystemExit(f"no new row within {_GIVE_UP_S:.0f} s: see worker.log")
            time.sleep(_POLL_S)

    def ages(self, seconds: float) -> list[float]:
        """Return how old new rows were when they could be read, over some seconds."""
        found, deadline = [], time.monotonic() + seconds
        while time.monotonic() < deadline:
            found += (time.time() - self.new()).tolist()
            time.sleep(_POLL_S)
        return found


def measure(bootstrap: str, folder: Path, kills: int, rate: int, running_s: float) -> None:
    """Kill and restart a worker so many times, and report."""
    topic = f"restart-{uuid.uuid4().hex[:8]}"
    store = folder / topic
    folder.mkdir(parents=True, exist_ok=True)
    flow, worker, watch = Flow(bootstrap, topic, rate), Worker(bootstrap, topic, store), Watch(store)
    time.sleep(1)
    seconds, cpu, ages = [], [], []
    try:
        for number in range(kills + 1):
            began = worker.start()
            watch.wait()
            took, used = time.monotonic() - began, worker.cpu_s()
            say(f"{'first start' if not number else f'restart {number}'}: {took:.2f} s, {used:.2f} CPU-s to a new row")
            if number:
                seconds.append(took)
                cpu.append(used)
            watch.ages(3)  # what waited is read
            ages += watch.ages(running_s)
            worker.kill()
            watch.new()  # what its last commit brought
    finally:
        flow.stop()
    for name, found in (("restart to first new row", seconds), ("its CPU-s", cpu), ("sent to readable", ages)):
        p50, p95 = np.percentile(found, (50, 95))
        say(f"{name}: p50 {p50:.2f} s, p95 {p95:.2f} s, most {max(found):.2f} s (n = {len(found):,})")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure restarts of a worker under load.")
    parser.add_argument("folder", type=Path, help="where the store is written; what it holds is kept")
    parser.add_argument("--bootstrap", required=True, help="HOST:PORT of a broker")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rate", type=int, default=5_000, help="lines a second")
    parser.add_argument("--running", type=float, default=5.0, help="seconds between restarts in which ages are noted")
    found = parser.parse_args()
    measure(found.bootstrap, found.folder, found.kills, found.rate, found.running)


if __name__ == "__main__":
    main()
