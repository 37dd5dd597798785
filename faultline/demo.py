"""`faultline demo`: simulator, pipeline and dashboard together, without Kafka, and the truth beside the verdicts.

The simulator is a process of its own that writes files, as fast as it can until its event time has caught up with the
clock, then live. The pipeline reads the same files as `faultline run --source files` would. The faults it will inject
are known here, and only here: the telemetry does not contain them.
"""

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from telemetry import FaultlineError

if TYPE_CHECKING:
    from faultline.correlator import Correlator
    from faultline.pipeline import Accounting, Pipeline
    from faultline.settings import Settings
    from storage import Store

BACKFILL_S = 7200
SETTLE_S = 30
"""Time allowed for the back-fill before the live part begins; event time runs through without a gap."""


@dataclass(frozen=True)
class DemoResult:
    """What a demo showed: incidents with suspects, the true faults begun so far, the accounting, and seconds taken."""

    incidents: list[dict[str, Any]]
    faults: list[dict[str, Any]]
    accounting: dict[str, int]
    seconds: float

    def as_json(self) -> bytes:
        """Return one JSON object."""
        return orjson.dumps(vars(self), option=orjson.OPT_UTC_Z)


def run_demo(
    settings: "Settings",
    *,
    seconds: float | None,
    seed: int,
    dashboard: bool,
    store_url: str | None,
    say: Callable[[str], None],
    stop: threading.Event,
) -> DemoResult:
    """Run until `seconds` of live time are over (None: until `stop`). `say` gets lines for people as things happen.

    Tables go to `store_url`, or to a temporary folder that is removed at the end. Raises FaultlineError.
    """
    from storage import Store

    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="faultline-demo-"))
    live = datetime.now(UTC) + timedelta(seconds=SETTLE_S)
    try:
        store = Store.open(store_url or folder / "store")
        with _simulator(folder, seed, live) as simulator, _dashboard(store.url if dashboard else None, say):
            say(f"simulating {BACKFILL_S // 3600} hours up to now, then live (seed {seed}); tables in {store.url}")
            watch = _Watch(store, folder / "telemetry", live, say, simulator)
            deadline = None if seconds is None else live.timestamp() + seconds
            accounting = _follow(folder / "telemetry", store, settings, deadline, stop, watch)
        watch.look(final=True)
        total = accounting.total
        counts = {k: getattr(total, k) for k in ("read", "stored", "joined", "dead_lettered", "filtered")}
        return DemoResult(incidents_of(store), watch.faults(), counts, round(time.monotonic() - began, 1))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _simulator(folder: Path, seed: int, live: datetime) -> "Iterator[_Simulator]":
    command = [sys.executable, "-m", "faultline", "simulate", "--to", "files", "--out", str(folder / "telemetry")]
    command += ["--seed", str(seed), "--demo", live.isoformat()]
    said = folder / "simulator.txt"
    with said.open("wb") as output, _child(command, stdout=output, stderr=output) as process:
        yield _Simulator(process, said)


@dataclass(frozen=True)
class _Simulator:
    """The running simulator and what it has printed."""

    process: "subprocess.Popen[bytes]"
    said: Path

    def check(self) -> None:
        """Raise FaultlineError if it has ended."""
        if (code := self.process.poll()) is not None:
            lines = self.said.read_text(errors="replace").splitlines() or ["nothing"]
            raise FaultlineError(f"the simulator ended early with exit code {code}; it said: {lines[-1]}")


@contextmanager
def _dashboard(store_url: str | None, say: Callable[[str], None]) -> Iterator[None]:
    if store_url is None:
        yield
        return
    command = [sys.executable, "-m", "faultline", "dashboard", "--store", store_url, "--port", "0"]
    with _child(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline().decode("utf-8", "replace").strip()
        if not line:
            raise FaultlineError(f"the dashboard ended at once with exit code {process.wait()}; its reason is above")
        say(line)
        yield


@contextmanager
def _child(command: list[str], **options: Any) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen(command, **options)  # noqa: S603 (our own program)
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def _follow(
    telemetry: Path,
    store: "Store",
    settings: "Settings",
    deadline: float | None,
    stop: threading.Event,
    watch: "_Watch",
) -> "Accounting":
    """Run the pipeline over the growing files until the deadline (seconds since the epoch) or `stop`."""
    from faultline.pipeline import run_pipeline
    from ingest import FilesSource

    telemetry.mkdir(parents=True, exist_ok=True)
    ended = threading.Event()

    def turn(pipeline: "Pipeline", correlator: "Correlator | None") -> None:
        watch.progress(pipeline, correlator)
        if stop.is_set() or (deadline is not None and time.time() >= deadline):
            ended.set()

    source = FilesSource([telemetry])
    return run_pipeline(source, store, settings, once=False, stop=ended, on_progress=turn, close_windows=True)


class _Watch:
    """Tells people what the store says: progress through the back-fill, then incidents beside the truth."""

    def __init__(
        self, store: "Store", telemetry: Path, live: datetime, say: Callable[[str], None], simulator: _Simulator
    ) -> None:
        self._simulator = simulator
        self._store, self._truth, self._live, self._say = store, telemetry / "truth" / "faults.json", live, say
        self._told: dict[str, list[str]] = {}  # verdict and first suspect, by incident
        self._next_look = self._next_progress = 0.0
        self._caught_up = False

    def progress(self, pipeline: "Pipeline", correlator: "Correlator | None") -> None:
        """Called at every turn of the pipeline; says something at most every few seconds."""
        self._simulator.check()
        now = time.monotonic()
        position = correlator.position if correlator else None
        if not self._caught_up and position is not None:
            behind = time.time() - position / 1e6
            self._caught_up = behind < 60
            if self._caught_up:
                self._say(f"caught up: {pipeline.rows_committed:,} rows stored; live from here on")
            elif now >= self._next_progress:
                self._next_progress = now + 3
                self._say(f"back-fill: {pipeline.rows_committed:,} rows stored, detection {behind / 60:.0f} min behind")
        if now >= self._next_look:
            self._next_look = now + 2
            self.look()

    def look(self, final: bool = False) -> None:
        """Say what is new about incidents since the live part began."""
        for incident in incidents_of(self._store):
            if datetime.fromisoformat(incident["opened"]) < self._live - timedelta(seconds=SETTLE_S):
                continue
            gist = [incident["verdict"], *(suspect["service"] for suspect in incident["suspects"][:1])]
            if incident["suspects"] and self._told.get(incident["id"]) != gist:
                self._say(self._describe(incident, again=incident["id"] in self._told))
                self._told[incident["id"]] = gist
        if final and not self._told:
            self._say("no incident opened in the live part")

    def _describe(self, incident: dict[str, Any], again: bool) -> str:
        ranked = ", ".join(
            f"{s['rank']}. {s['service']} ({s['role']}, {s['signal']})" for s in incident["suspects"][:3]
        )
        true = [f"{f['kind']} at {f['service'] or 'no service'}" for f in self.faults() if _during(incident, f)]
        cause = true[-1] if true else "no fault"
        told = "ranked again" if again else f"opened {incident['opened']}: {incident['title']}"
        return (
            f"incident {incident['id']} {told}\n  verdict {incident['verdict']}: {ranked}\n  simulated truth: {cause}"
        )

    def faults(self) -> list[dict[str, Any]]:
        """Return the simulated faults that have begun."""
        if not self._truth.exists():
            return []
        now = datetime.now(UTC)
        faults = orjson.loads(self._truth.read_bytes())
        return [fault for fault in faults if datetime.fromisoformat(fault["start"]) <= now]


def _during(incident: dict[str, Any], fault: dict[str, Any]) -> bool:
    opened = datetime.fromisoformat(incident["opened"])
    return (
        datetime.fromisoformat(fault["start"]) <= opened <= datetime.fromisoformat(fault["end"]) + timedelta(minutes=1)
    )


def incidents_of(store: "Store") -> list[dict[str, Any]]:
    """Return the incidents of a store, oldest first, each with its suspects in rank order; times as ISO 8601 UTC."""
    reader = store.reader()
    rows: list[dict[str, Any]] = reader.query(
        "SELECT id, opened, services, title, verdict FROM incidents ORDER BY opened, id"
    ).to_pylist()
    ranking = reader.query(
        "SELECT incident_id, rank, service, signal, score, role FROM suspects ORDER BY incident_id, rank"
    ).to_pylist()
    by_incident: dict[str, list[dict[str, Any]]] = {}
    for suspect in ranking:
        by_incident.setdefault(suspect.pop("incident_id"), []).append(suspect)
    for row in rows:
        row["opened"] = row["opened"].astimezone(UTC).isoformat()
        row["suspects"] = by_incident.get(row["id"], [])
    return rows
