"""What goes into a diagnosis and what comes out of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from telemetry import SUSPECTS, TIME, WINDOW_LOGS, WINDOW_METRICS, WINDOW_SPANS


@dataclass(frozen=True)
class Evidence:
    """Telemetry around one incident. Times are microseconds since the epoch, UTC.

    `metrics`, `logs` and `spans` follow the window schemas of `telemetry`, in any row order, any of them may be empty;
    20 to 30 minutes before the onset make a good history. Rows after `until` are never used.
    `calls`: (caller, callee) -> weight (number of calls). `templates`: template id -> its text, or better one example
    message, because a parameter may name the service that failed. `onset`: when it began; None: it is searched for.
    `normal`: more metric rows of normal operation, from any time. `step_us`: length of a log and span window.
    """

    metrics: pa.Table = field(default_factory=WINDOW_METRICS.empty_table)
    logs: pa.Table = field(default_factory=WINDOW_LOGS.empty_table)
    spans: pa.Table = field(default_factory=WINDOW_SPANS.empty_table)
    calls: Mapping[tuple[str, str], float] = field(default_factory=dict)
    templates: Mapping[int, str] = field(default_factory=dict)
    onset: int | None = None
    until: int = 2**62
    normal: pa.Table | None = None
    step_us: int = 10_000_000

    def cut(self) -> "Evidence":
        """Return the same evidence without any point after `until` and without windows that end after it."""
        return replace(
            self,
            metrics=_until(self.metrics, self.until),
            logs=_until(self.logs, self.until - self.step_us),
            spans=_until(self.spans, self.until - self.step_us),
        )


def _until(table: pa.Table, last: int) -> pa.Table:
    limit = pa.scalar(max(last, -(2**62)), pa.int64()).cast(pa.timestamp("us")).cast(TIME)
    return table.filter(pc.less_equal(table["time"], limit))


@dataclass(frozen=True)
class EvidenceRow:
    """One reason, in words and numbers. `kind`: "metric", "log", "span" or "graph"; `score`: higher is stronger."""

    kind: str
    signal: str
    score: float
    expected: float | None
    observed: float | None
    text: str


@dataclass(frozen=True)
class Suspect:
    """One ranked service: `share` of the total score, `path` from it to the service where it hurts."""

    rank: int
    service: str
    signal: str | None
    score: float
    share: float
    role: str
    evidence: tuple[EvidenceRow, ...]
    path: tuple[str, ...]


@dataclass(frozen=True)
class Diagnosis:
    """All services ranked, and whether the evidence is enough to name the first one as root cause.

    `verdict`: "root_cause_found" or "insufficient_evidence"; `confidence`: probability-like, 0 to 1, that the first
    suspect is the root cause; `onset`: microseconds since the epoch, UTC; `seconds`: time taken.
    """

    suspects: tuple[Suspect, ...]
    verdict: str
    confidence: float
    onset: int
    method: str
    seconds: float

    @property
    def top(self) -> str:
        """The outcome in one sentence, for an incident's history."""
        if not self.suspects:
            return "no service to rank"
        first = self.suspects[0]
        why = first.evidence[0].text if first.evidence else "nothing moved"
        lead = "root cause" if first.role == "root_cause" else "not enough evidence for a root cause, first suspect"
        return f"{lead}: {first.service} (confidence {self.confidence:.2f}): {why}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists and dicts for JSON; `onset` as ISO 8601 UTC."""
        plain = asdict(self)
        plain["onset"] = datetime.fromtimestamp(self.onset / 1e6, UTC).isoformat().replace("+00:00", "Z")
        return plain


def suspects_table(incident_id: str, ranked_at: int, diagnosis: Diagnosis) -> pa.Table:
    """Return the rows of table `suspects` for one ranking made at `ranked_at` (microseconds since the epoch)."""
    rows: Sequence[Suspect] = diagnosis.suspects
    columns: dict[str, Any] = {
        "incident_id": [incident_id] * len(rows),
        "ranked_at": pa.array([ranked_at] * len(rows), pa.int64()).cast(pa.timestamp("us")).cast(TIME),
        "method": [diagnosis.method] * len(rows),
        "evidence": [[asdict(item) for item in s.evidence] for s in rows],
        "path": [list(s.path) for s in rows],
    }
    for name in ("rank", "service", "signal", "score", "share", "role"):
        columns[name] = [getattr(s, name) for s in rows]
    return pa.table({f.name: columns[f.name] for f in SUSPECTS}, schema=SUSPECTS)
