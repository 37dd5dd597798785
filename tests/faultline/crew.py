"""Worker processes of one consumer group on one store, and what may happen to them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from storage import Store

FAULTLINE = [sys.executable, "-m", "faultline"]


class Crew:
    """Named workers on one store; who is killed is started again at once."""

    def __init__(
        self, store: Path, bootstrap: str, topics: Sequence[str], *options: str, program: Sequence[str] = FAULTLINE
    ) -> None:
        command = [*program, "run", "--source", "kafka", "--bootstrap", bootstrap, "--store", str(store), *options]
        self._command = command + [word for topic in topics for word in ("--topic", topic)]
        self._store = store
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *names: str, group: str = "") -> None:
        """Start workers; `group` sets them apart from the others, so that they own the same partitions once more."""
        for name in names:
            settings = {"GROUP": f"{self._store}{group}", "GROUP_INSTANCE_ID": name}
            # By rows alone does time pass here, so that results do not depend on when they came.
            environment = {**os.environ, "FAULTLINE_COMMIT_INTERVAL_S": "0.3", "FAULTLINE_WINDOWS_IDLE_S": "3600"}
            environment |= {f"FAULTLINE_KAFKA_{key}": value for key, value in settings.items()}
            with self.said(name).open("ab") as said:
                self.running[name] = subprocess.Popen(
                    self._command, env=environment, stdout=subprocess.DEVNULL, stderr=said
                )

    def said(self, name: str) -> Path:
        """Where a worker's own log is."""
        return self._store.parent / f"{self._store.name}-{name}.err"

    def kill(self, name: str) -> None:
        """Kill -9."""
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def stop(self, name: str, seconds: float) -> None:
        """Let it stand still for a while; it knows nothing of what went on meanwhile."""
        self.running[name].send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.running[name].send_signal(signal.SIGCONT)

    def finish(self, *, terminate: bool = False, seconds: float = 200) -> None:
        """Wait until all have ended, asked to or by themselves, without an error.

        One that was started a moment ago may be asked before it can hear.
        """
        fine = {0, -signal.SIGTERM} if terminate else {0}
        deadline = time.monotonic() + seconds
        for process in self.running.values() if terminate else ():
            process.terminate()
        for name, process in self.running.items():
            code = process.wait(max(1.0, deadline - time.monotonic()))
            assert code in fine, (name, code, self.said(name).read_text()[-2000:])
        self.running.clear()

    def end(self) -> None:
        """Leave nothing running."""
        for name in list(self.running):
            self.kill(name)


def writers(store: Path) -> set[str]:
    """Who has written to the ledger of a store so far."""
    if not Store.exists(store):
        return set()
    with Store.open(store, create=False).reader() as reader:
        return set(reader.query("SELECT DISTINCT worker FROM raw_ledger")["worker"].to_pylist())


def wait_for(condition: Callable[[], object], seconds: float = 100) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
