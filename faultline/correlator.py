"""Whatever looks across partitions: detect in closed windows, group into incidents, rank suspects, store all of it.

It works from the tables alone, up to the watermark of the ledger, so it neither knows nor cares who wrote the rows.
Its results depend on the windows' contents only; how many windows it handles at a time changes nothing.
"""

import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa

from faultline import counters, windows
from faultline.watermarks import earliest
from faultline.worker import MAX_SPAN_US
from telemetry import WINDOW_METRICS, CorruptState, EvidenceError, Window

if TYPE_CHECKING:
    from detection import IncidentUpdate, Outcome
    from faultline.settings import Settings
    from rca import Diagnosis
    from storage import Reader, Snapshot, Store

APP = "correlator"
STATE_VERSION = 2
_CHUNK = 60  # windows read from the store at a time
_HISTORY_US = 30 * 60_000_000  # how much a diagnosis may look back at least
_HISTORY_POINTS = 180  # ... and how many rounds of metric points, where they are further apart than windows
_MAX_HISTORY_US = 3 * 3600 * 1_000_000
_SKIP_AFTER_US = 10 * 60_000_000  # longer silences are stepped over rather than walked through
_CALLS_HALF_LIFE = 360  # windows after which a call counts half
_MAX_CALLS = 20_000
_WARN = 13


@dataclass
class _Output:
    """Rows of the correlator's tables; each remembers the start of the window it comes from as its position."""

    tables: dict[str, list[pa.Table]] = field(default_factory=dict)

    def add(self, name: str, rows: pa.Table, position: int) -> None:
        if len(rows):
            column = pa.array(np.full(len(rows), position, dtype=np.int64))
            self.tables.setdefault(name, []).append(rows.append_column("position", column))

    def take(self) -> dict[str, pa.Table]:
        tables = {name: pa.concat_tables(parts) for name, parts in self.tables.items()}
        self.tables = {}
        return tables


class Correlator:
    """One acts at a time on a store (see `lease`). `advance` handles the windows closed since the last call.

    `position` is the end of the last window handled (us since the epoch), None before the first. Raises StoreError.
    """

    def __init__(self, store: "Store", reader: "Reader", settings: "Settings") -> None:
        from detection import Detector, IncidentBook

        self._reader = reader
        self._writer = store.writer()
        self._settings = settings
        self._width = settings.windows.window_s * 1_000_000
        self._detector, self._book = Detector(), IncidentBook()
        self._calls: dict[tuple[str, str], float] = {}
        self._canonical: dict[int, tuple[int, int]] = {}
        self._history: deque[Window] = deque()
        self._look_back = _HISTORY_US
        self._examples: dict[int, str] = {}
        self._output = _Output()
        self.position: int | None = None
        self._committed = self._snapshot_position = 0
        self._restore()

    @property
    def open_incidents(self) -> int:
        """Incidents open now."""
        return len(self._book.open)

    @property
    def refused(self) -> int:
        """Values that detection left out, as there are more signals than it watches."""
        return self._detector.refused

    def advance(
        self, limit: int | None, keep: Callable[[], None] = lambda: None, stop: threading.Event | None = None
    ) -> int:
        """Handle all windows that end at or before `limit` (us since the epoch), and commit; return how many.

        `keep` is called before each window; what it raises ends the work. `stop` ends it after a commit.
        Raises Fenced if another correlator has moved the position: then this one is of no use any more.
        """
        handled = 0
        while limit is not None and not (stop and stop.is_set()):
            start = self._next_start(limit)
            if start is None:
                break
            end = min(start + _CHUNK * self._width, start + (limit - start) // self._width * self._width)
            if end <= start:
                break
            handled += self._advance_to(start, end, keep)
        return handled

    def _next_start(self, limit: int) -> int | None:
        """Where to go on: after the last window, or, before the first one or a long silence, at the next row."""
        if self.position is not None and limit - self.position < _SKIP_AFTER_US:
            return self.position
        since = self.position
        found = earliest(self._reader, since)
        if found is None:
            return None
        first = found // self._width * self._width
        if self.position is None or first - self.position >= _SKIP_AFTER_US:
            return first
        return self.position

    def _advance_to(self, start: int, end: int, keep: Callable[[], None]) -> int:
        self._follow_lineage(start, end)
        rows = self._read(start, end)
        count = 0
        for window, calls in windows.cut(rows, start, end, self._width, self._canonical):
            keep()
            self._handle(window, calls)
            count += 1
        self.position = end
        self._commit()
        return count

    def _read(self, start: int, end: int) -> windows.Rows:
        scan = self._reader.scan
        spans = scan("spans", _SPAN_COLUMNS, start - MAX_SPAN_US, end, where="NOT late")
        return windows.Rows(
            windows.read_counts(self._reader, start, end, self._width),
            scan("metrics", WINDOW_METRICS.names, start, end, where="NOT late AND cumulative IS NOT TRUE"),
            spans,
            scan("metrics", counters.COLUMNS, start - counters.GAP_US, end, where="NOT late AND cumulative"),
        )

    def _follow_lineage(self, start: int, end: int) -> None:
        """Count a template that generalised under the id it had first, so that it does not look like a new one.

        From the window of the record on that made it generalise: what is read along with it does not matter.
        """
        rules = self._reader.scan("lineage", ["time", "from_id", "to_id", "source", "partition", "offset"], start, end)
        order = [(name, "ascending") for name in ("time", "source", "partition", "offset", "from_id")]
        rules = rules.sort_by(order)
        since = rules["time"].cast(pa.int64()).to_numpy() // self._width * self._width
        pairs = zip(rules["from_id"].to_pylist(), rules["to_id"].to_pylist(), since.tolist(), strict=True)
        for old, new, begun in pairs:
            self._canonical.setdefault(new, (self._counted_as(old), begun))

    def _counted_as(self, template: int) -> int:
        return self._canonical.get(template, (template, 0))[0]

    def _handle(self, window: Window, calls: windows.Calls) -> None:
        self._remember(window, calls)
        anomalies = self._detector.update(window)
        update = self._book.update(window.end, anomalies, self._calls)
        self._emit(update, window.start)
        for incident_id in update.rank:
            if incident_id in self._book:  # else one ranked before it has just taken it over
                self._diagnose(incident_id, window)

    def _emit(self, update: "IncidentUpdate", position: int) -> None:
        self._output.add("anomalies", update.anomalies, position)
        self._output.add("incidents", update.incidents, position)
        self._output.add("incident_events", update.events, position)

    def _remember(self, window: Window, calls: windows.Calls) -> None:
        self._history.append(window)
        if window.end % (_CHUNK * self._width) == 0:
            self._look_back = self._needed()
        while self._history[0].end <= window.end - self._look_back:
            self._history.popleft()
        keep = 0.5 ** (1 / _CALLS_HALF_LIFE)
        decayed = {edge: weight * keep for edge, weight in self._calls.items()}
        for edge, count in calls.items():
            decayed[edge] = decayed.get(edge, 0.0) + count
        if len(decayed) > _MAX_CALLS:
            decayed = dict(sorted(decayed.items(), key=lambda item: (-item[1], item[0]))[:_MAX_CALLS])
        self._calls = decayed

    def _needed(self) -> int:
        """Return how long a history (us) holds enough points to tell the odd from the usual, given the newest ones."""
        newest = [w.metrics for w in self._history if w.end > self._history[-1].end - _HISTORY_US]
        step_us = round(_step_s(pa.concat_tables(newest), self._width) * 1e6)
        return min(max(_HISTORY_US, _HISTORY_POINTS * step_us), _MAX_HISTORY_US)

    def _diagnose(self, incident_id: str, window: Window) -> None:
        from detection import Outcome
        from rca import Evidence, diagnose, suspects_table, usual_score

        onset, now = self._book.onset(incident_id), window.end
        evidence = Evidence(
            metrics=pa.concat_tables(w.metrics for w in self._history).combine_chunks(),
            logs=pa.concat_tables(w.logs for w in self._history).combine_chunks(),
            spans=pa.concat_tables(w.spans for w in self._history).combine_chunks(),
            calls=dict(self._calls),
            templates=self._messages(onset, now),
            onset=onset,
            until=now,
            step_us=self._width,
        )
        try:
            diagnosis = diagnose(evidence)
        except EvidenceError as error:  # nothing to compare with: after a gap, or at the very beginning
            nothing = Outcome(None, 0.0, "insufficient_evidence", 0.0, str(error))
            self._emit(self._book.diagnosed(incident_id, now, nothing), window.start)
            return
        outcome = _outcome(diagnosis, _step_s(evidence.metrics, self._width))
        if self._book.promising(incident_id, now, outcome):
            outcome = replace(outcome, usual=usual_score(evidence))
        self._emit(self._book.diagnosed(incident_id, now, outcome), window.start)
        if incident_id in self._book.open:
            self._output.add("suspects", suspects_table(incident_id, now, diagnosis), window.start)

    def _messages(self, onset: int, now: int) -> dict[int, str]:
        """Return one message a template: its newest since shortly before the onset, else the first ever seen.

        A parameter may name the service that failed, so a message says more than its template.
        """
        self._learn_examples()
        texts = dict(self._examples)
        newest = '(time, source, "partition", "offset", coalesce(line, 0), body)'  # lines of a message may share a time
        wanted = {"template_id": "template_id", "newest": f"max({newest})", "body": f"arg_max(body, {newest})"}
        where = f"NOT late AND severity_number >= {_WARN}"
        found = self._reader.aggregate("logs", wanted, onset - 3 * self._width, now, where)
        for row in sorted(found.to_pylist() if found else [], key=lambda row: tuple(row["newest"].values())):
            texts[self._counted_as(row["template_id"])] = row["body"]
        return texts

    def _learn_examples(self) -> None:
        """Read the first example of each template in the history, unless all are known."""
        wanted = {i for window in self._history for i in window.logs["template_id"].to_pylist()}
        if wanted <= self._examples.keys():
            return
        sql = """SELECT template_id, arg_min(example, (first_seen, source, "partition", service, "offset")) AS body
                 FROM raw_templates GROUP BY template_id"""
        rows = self._reader.query(sql)
        first = dict(zip(rows["template_id"].to_pylist(), rows["body"].to_pylist(), strict=True))
        self._examples = {i: first.get(i, "") for i in wanted}

    def _commit(self) -> None:
        from storage import Move

        assert self.position is not None
        tables = self._output.take()
        due = self.position - self._snapshot_position >= _CHUNK * self._width
        states = [self._snapshot(self.position)] if due or tables else []
        if tables or states:
            self._writer.commit(tables, [Move(APP, self._committed, self.position)], states)
            self._committed = self.position
            if states:
                self._snapshot_position = self.position

    def _snapshot(self, position: int) -> "Snapshot":
        from storage import Snapshot

        header = {
            "look_back": self._look_back,
            "since": self._history[0].start if self._history else position,
            "calls": [[*edge, weight] for edge, weight in self._calls.items()],
            "canonical": [[f"{a:x}", f"{b:x}", since] for a, (b, since) in self._canonical.items()],
        }
        parts = [orjson.dumps(header), self._detector.snapshot(), self._book.snapshot()]
        payload = struct.pack("<3Q", *map(len, parts)) + b"".join(parts)
        return Snapshot(APP, position, STATE_VERSION, payload)

    def _restore(self) -> None:
        from detection import Detector, IncidentBook

        snapshot = self._writer.restore(APP, STATE_VERSION)
        if snapshot is None:
            return
        header, detector, book = _unpack(snapshot.payload)
        self._detector, self._book = Detector.restore(detector), IncidentBook.restore(book)
        self._calls = {(caller, callee): weight for caller, callee, weight in header["calls"]}
        self._canonical = {int(a, 16): (int(b, 16), since) for a, b, since in header["canonical"]}
        self.position = self._committed = self._snapshot_position = snapshot.position
        self._reader.refresh()
        self._look_back = header["look_back"]
        rows = self._read(header["since"], snapshot.position)
        cut = windows.cut(rows, header["since"], snapshot.position, self._width, self._canonical)
        self._history = deque(window for window, _ in cut)


def _step_s(metrics: pa.Table, width: int) -> float:
    """Return the usual time between two rounds of metric points in seconds, or the window's length without metrics."""
    times = np.unique(metrics["time"].cast(pa.int64()).to_numpy() // 1_000_000)
    return float(np.median(np.diff(times))) if len(times) > 2 else width / 1e6


def _outcome(diagnosis: "Diagnosis", step_s: float) -> "Outcome":
    from detection import Outcome

    first = diagnosis.suspects[0] if diagnosis.suspects else None
    suspect, score = (first.service, first.score) if first else (None, 0.0)
    return Outcome(suspect, score, diagnosis.verdict, diagnosis.confidence, diagnosis.top, step_s)


_SPAN_COLUMNS = ["time", "duration_us", "trace_id", "span_id", "parent_span_id", "service", "operation", "status"]


def _unpack(payload: bytes) -> tuple[dict[str, Any], bytes, bytes]:
    try:
        a, b, c = struct.unpack_from("<3Q", payload)
        header, detector, book = payload[24 : 24 + a], payload[24 + a : 24 + a + b], payload[24 + a + b :]
        return orjson.loads(header), detector, book[:c]
    except (struct.error, orjson.JSONDecodeError) as error:
        raise CorruptState(f"correlator state: {error}") from None
