"""A store with one incident in it, and the command line as a user meets it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
import structlog

sys.path.insert(0, str(Path(__file__).parent))

import telemetry
from storage import CORRELATOR, Move, Store
from telemetry import Partition

T0 = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
INCIDENT = "3f9c000000000001"
HOSTILE = '=HYPERLINK("x")\x1b[2J\u202e'
INPUT = Partition("file:1:1:1", "logs/cart.log")


@pytest.fixture(autouse=True)
def fresh_log() -> Iterator[None]:
    """A command run in this process binds the log to the standard error of its test."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two log rows, one with hostile text, and two incidents: one open with suspects, one resolved."""
    path = tmp_path_factory.mktemp("cli") / "store"
    writer = Store.open(path).writer()
    writer.commit({"logs": _logs(), "ledger": _ledger()}, [Move.of(INPUT, 0, 20)])
    writer.commit(_incident(), [Move(CORRELATOR, 0, 1)])
    return path


def _logs() -> pa.Table:
    row = {"time": T0, "observed_time": T0, "service": "cart", "template_id": 255, "params": ["1"], "late": False}
    origin = {"source": INPUT.source, "partition": 0}
    rows = [row | origin | {"body": body, "offset": offset} for offset, body in ((0, "paid 1"), (10, HOSTILE))]
    return pa.Table.from_pylist(rows, telemetry.LOGS)


def _ledger() -> pa.Table:
    counts = {"read": 4, "stored": 2, "joined": 1, "dead_lettered": 1, "filtered": 0, "late": 0}
    row = {"time": T0, "app_id": INPUT.app_id, "source": INPUT.source, "partition": 0, "next": 20, "watermark": T0}
    return pa.Table.from_pylist([row | counts | {"closed": True}], telemetry.LEDGER)


def _incident() -> dict[str, pa.Table]:
    base = {"opened": T0, "updated": T0, "onset": T0, "severity": "critical", "services": ["cart"], "seq": 1}
    ranked = {"verdict": "root_cause_found", "confidence": 0.8}
    incidents = [
        base | ranked | {"id": INCIDENT, "status": "open", "title": "Anomalies in cart"},
        base | {"id": "3f9d000000000002", "status": "resolved", "title": "Anomalies in web"},
    ]
    evidence = [{"kind": "metric", "signal": "cpu", "score": 9.0, "text": "cart cpu rose from 1 to 9"}]
    suspect = {"incident_id": INCIDENT, "ranked_at": T0, "score": 1.0, "share": 0.5, "path": [], "method": "default"}
    suspects = [
        suspect | {"rank": 1, "service": "cart", "role": "root_cause", "signal": "cpu", "evidence": evidence},
        suspect | {"rank": 2, "service": HOSTILE, "role": "unclear", "evidence": []},
    ]
    event = {"incident_id": INCIDENT, "time": T0, "seq": 0, "kind": "open", "actor": "faultline", "detail": "opened"}
    rows = {"incidents": incidents, "suspects": suspects, "incident_events": [event]}
    tables = {name: pa.Table.from_pylist(found, telemetry.TABLES[name]) for name, found in rows.items()}
    return {name: table.append_column("position", pa.array([0] * len(table))) for name, table in tables.items()}


@pytest.fixture
def faultline(tmp_path: Path):
    """Run `python -m faultline` in an empty folder, as a process of its own."""

    def run(*arguments: object, **variables: str) -> "subprocess.CompletedProcess[str]":
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FAULTLINE_")}
        command = [sys.executable, "-m", "faultline", *map(str, arguments)]
        found = environment | {"PYTHONPATH": str(Path(__file__).parents[2])} | variables
        return subprocess.run(command, cwd=tmp_path, env=found, capture_output=True, text=True, timeout=120)

    return run
