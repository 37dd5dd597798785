"""The per-partition stage: decoded batch in, rows for the store out, with the lateness and accounting they need.

All state of a partition is here and nowhere else, so that any worker can take a partition over from its snapshot.
"""

import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import structlog

import telemetry
from telemetry import Batch, CorruptState, Partition

if TYPE_CHECKING:
    from parsing import Parser, Redactor

log = structlog.get_logger()

STATE_VERSION = 1
_NO_TIME, _END_OF_TIME = -(2**62), 2**62
# Spans end after they start; a span counts from its end, but no span holds event time back longer than this.
MAX_SPAN_US = 300_000_000

Times = npt.NDArray[np.int64]


@dataclass
class EventClock:
    """Event time of one ordered stream of rows, in microseconds since the epoch.

    A row is late when it is more than `lateness_us` behind the newest time confirmed before it. A time is confirmed
    by the row after it: one stray timestamp in the future moves nothing.
    """

    lateness_us: int
    high: int = _NO_TIME
    last: int = _NO_TIME

    def late(self, times: Times) -> npt.NDArray[np.bool_]:
        """Return for each row, in order, whether it is late; moves the clock."""
        if not len(times):
            return np.zeros(0, dtype=bool)
        high = self._highs(times)
        self.high, self.last = int(high[-1]), int(times[-1])
        return np.asarray(times < high[:-1] - self.lateness_us)

    def marks(self, times: Times) -> Times:
        """Return the watermark before each row, and one more after the last; does not move the clock."""
        return self._highs(times) - self.lateness_us

    def _highs(self, times: Times) -> Times:
        confirmed = np.minimum(times, np.concatenate(([self.last], times[:-1])))
        return np.asarray(np.maximum.accumulate(np.concatenate(([self.high], confirmed))))

    def advance(self, watermark: int) -> None:
        """Let event time pass without a row: rows older than `watermark` will be late."""
        self.high = max(self.high, watermark + self.lateness_us)

    @property
    def watermark(self) -> int | None:
        """Event time below which only late rows can come, or None before two rows were seen."""
        return None if self.high == _NO_TIME else self.high - self.lateness_us


@dataclass
class Counts:
    """Running totals of a partition: read = stored + joined + dead_lettered + filtered."""

    read: int = 0
    stored: int = 0
    joined: int = 0
    dead_lettered: int = 0
    filtered: int = 0
    late: int = 0  # of stored
    ahead: int = 0  # of late: their time is ahead of the clock

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def balanced(self) -> bool:
        """Whether every unit read is accounted for."""
        return self.read == self.stored + self.joined + self.dead_lettered + self.filtered


@dataclass
class _Held:
    """Rows at or after the position the parser has finished with; they wait for the held-back record before them."""

    metrics: pa.Table = field(default_factory=telemetry.METRICS.empty_table)
    spans: pa.Table = field(default_factory=telemetry.SPANS.empty_table)
    dead_letters: pa.Table = field(default_factory=telemetry.DEAD_LETTERS.empty_table)
    lines: pa.Array = field(default_factory=lambda: pa.array([], pa.int64()))
    redactions: pa.Table = field(default_factory=telemetry.REDACTIONS.empty_table)
    filtered: pa.Array = field(default_factory=lambda: pa.array([], pa.int64()))

    @property
    def units(self) -> int:
        letters = pc.sum(self.dead_letters["units"]).as_py() or 0
        return int(len(self.lines) + len(self.metrics) + len(self.spans) + len(self.filtered) + letters)


class PartitionWorker:
    """Turns the batches of one partition into table rows.

    `position` is the next position not yet fully dealt with; a snapshot belongs to exactly that position.
    """

    def __init__(
        self,
        partition: Partition,
        parser: "Parser",
        lateness_us: int,
        redactor: "Redactor | None" = None,
    ) -> None:
        self.partition = partition
        self.position = 0
        self.closed = False
        self.counts = Counts()
        self.redacted: dict[str, int] = {}  # texts so far, by kind
        self._parser, self._redactor = parser, redactor
        self._lateness_us = lateness_us
        self._clocks: dict[str, EventClock] = {}  # by kind of row, from its first row on
        self._floor: int | None = None  # event time that has passed although nothing came
        self._held = _Held()

    def process(self, batch: Batch) -> dict[str, pa.Table]:
        """Return the rows that are complete after this batch, by table name."""
        redactions = telemetry.REDACTIONS.empty_table()
        if self._redactor:
            batch, redactions = self._redactor.clean(batch)
        parsed = self._parser.process(batch.lines, batch.next, batch.closed)
        self.closed = batch.closed
        arrived = _Held(
            batch.metrics, batch.spans, batch.dead_letters, batch.lines["offset"], redactions, batch.filtered_at
        )
        return self._release(parsed, arrived, batch.read, batch.filtered - len(batch.filtered_at))

    def release(self) -> dict[str, pa.Table]:
        """Return rows the parser held back in case the next line continues them (the stream is idle)."""
        return self._release(self._parser.release(), _Held(), 0, 0)

    def _release(self, parsed: telemetry.Parsed, arrived: _Held, read: int, filtered: int) -> dict[str, pa.Table]:
        before = self._held.units
        ready, self._held = _split(self._held, arrived, parsed.next)
        logs, templates, rules = map(_table, (parsed.logs, parsed.templates, parsed.lineage))
        logs = self._settled(logs)
        letters = self._with_ids(ready.dead_letters)
        lineage = self._stamp_lineage(rules, logs)
        rows = {
            "logs": self._flag_late("logs", logs, _times(logs)),
            "metrics": self._flag_late("metrics", ready.metrics, _times(ready.metrics)),
            "spans": self._flag_late("spans", ready.spans, _span_ends(ready.spans)),
            "templates": templates,
            "lineage": lineage,
            "dead_letters": letters,
        }
        self.counts += Counts(
            read=read + before - self._held.units,
            stored=sum(len(rows[name]) for name in ("logs", "metrics", "spans")),
            joined=parsed.joined,
            dead_lettered=pc.sum(letters["units"]).as_py() or 0,
            filtered=filtered + len(ready.filtered) + parsed.filtered,
        )
        for kind, count in zip(*(ready.redactions[name].to_pylist() for name in ("kind", "count")), strict=True):
            self.redacted[kind] = self.redacted.get(kind, 0) + count
        self.position = parsed.next
        return {name: table for name, table in rows.items() if len(table)}

    def _with_ids(self, letters: pa.Table) -> pa.Table:
        """Give each letter its id: all letters of an input position come together, and in the same order always."""
        if not len(letters):
            return letters
        from ingest import letter_id

        seen: Counter[int] = Counter()
        ids = []
        for offset in letters["offset"].to_pylist():
            ids.append(letter_id(self.partition.app_id, offset, seen[offset]))
            seen[offset] += 1
        index = letters.schema.get_field_index("id")
        return letters.set_column(index, letters.schema.field(index), pa.array(ids, pa.string()))

    def _settled(self, logs: pa.Table) -> pa.Table:
        """Do what sources do to metrics and spans ahead of the clock: a line's time is known only once it is parsed."""
        from ingest import settled

        return settled(logs, _times(logs, "observed_time"), self.partition.written_us) if len(logs) else logs

    def _flag_late(self, kind: str, rows: pa.Table, times: Times) -> pa.Table:
        """Say which rows are late; those that are already are ahead of the clock, and it goes on as if without them."""
        if not len(rows):
            return rows
        ahead = rows["late"].to_numpy()
        clock = self._clocks[kind] = self._clock_of(kind)
        late = ahead.copy()
        late[~ahead] = clock.late(times[~ahead])
        self._count_ahead(int(ahead.sum()))
        self.counts.late += int(late.sum())
        schema = telemetry.TABLES[kind]
        index = schema.get_field_index("late")
        return rows.set_column(index, schema.field("late"), pa.array(late))

    def _count_ahead(self, rows: int) -> None:
        if rows and not self.counts.ahead:
            log.warning(
                "times ahead of the clock: such rows are kept, and flagged late and faultline.stated_time. Is "
                "parsing.timezone or parsing.year wrong, or the sender's clock?",
                source=self.partition.source,
                partition=self.partition.number,
            )
        self.counts.ahead += rows

    def _clock_of(self, kind: str) -> EventClock:
        if kind in self._clocks:
            return self._clocks[kind]
        fresh = EventClock(self._lateness_us)
        if self._floor is not None:
            fresh.advance(self._floor)
        return fresh

    def _stamp_lineage(self, rules: pa.Table, logs: pa.Table) -> pa.Table:
        """Date rules as their record, but not before the watermark at it, so that one of a late record is still seen.

        `logs`: the rows they come with, before these move the clock.
        """
        if not len(rules):
            return rules
        counted = ~logs["late"].to_numpy()
        marks = self._clock_of("logs").marks(_times(logs)[counted])
        row = np.searchsorted(logs["offset"].to_numpy(), rules["offset"].to_numpy(), side="left")
        before = (np.cumsum(counted) - counted)[row]
        times = np.maximum(np.where(counted[row], _times(rules), _times(logs)[row]), marks[before])
        return rules.set_column(0, telemetry.LINEAGE.field("time"), pa.array(times).cast(telemetry.TIME))

    @property
    def watermark(self) -> int | None:
        """Event time (us) below which this partition has only late rows left; None before its first rows."""
        marks = [clock.watermark for clock in self._clocks.values()]
        return self._floor if not marks or None in marks else min(mark for mark in marks if mark is not None)

    @property
    def mark(self) -> int | None:
        """The watermark; of a partition that has ended, the end of time."""
        return _END_OF_TIME if self.closed else self.watermark

    def advance(self, watermark: int) -> None:
        """Let event time pass on an idle partition."""
        self._floor = max(watermark, self._floor or watermark)
        for clock in self._clocks.values():
            clock.advance(watermark)

    @property
    def overflow(self) -> tuple[int, int]:
        """How many services have more templates than are kept apart, and records of services beyond the limit."""
        return len(self._parser.overflowing), self._parser.refused

    def snapshot(self) -> bytes:
        """Return the state that belongs to `position`: a JSON header, its length before it, and the parser's state."""
        clocks = {kind: [clock.high, clock.last] for kind, clock in self._clocks.items()}
        state = {"closed": self.closed, "counts": asdict(self.counts), "clocks": clocks, "floor": self._floor}
        state["redacted"] = self.redacted
        state["open_key"] = self._redactor.open_key(self.position) if self._redactor else 0
        header = orjson.dumps(state)
        return struct.pack("<I", len(header)) + header + self._parser.snapshot()

    @classmethod
    def restore(
        cls,
        partition: Partition,
        position: int,
        payload: bytes,
        lateness_us: int,
        parser: Callable[[bytes], "Parser"],
        redactor: "Redactor | None" = None,
    ) -> "PartitionWorker":
        """Return the worker as it was at `position`. Raises CorruptState."""
        try:
            (length,) = struct.unpack_from("<I", payload)
            header = orjson.loads(payload[4 : 4 + length])
            worker = cls(partition, parser(payload[4 + length :]), lateness_us, redactor=redactor)
            worker.position, worker.closed = position, bool(header["closed"])
            worker.counts = Counts(**header["counts"])
            for kind, (high, last) in header["clocks"].items():
                worker._clocks[kind] = EventClock(lateness_us, high, last)
            worker._floor = header["floor"]
            worker.redacted = dict(header.get("redacted", {}))  # versions before redaction have none
            if redactor:
                redactor.resume(position, header.get("open_key", 0))
        except (struct.error, orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise CorruptState(f"state of {partition.app_id} at {position}: {error}") from None
        return worker


def _split(held: _Held, arrived: _Held, position: int) -> tuple[_Held, _Held]:
    """Return what lies below `position` and what does not."""

    def part(name: str) -> tuple[pa.Table, pa.Table]:
        rows = getattr(arrived, name)
        if not len(rows) and not len(getattr(held, name)):  # as mostly: a batch is of one kind
            return rows, rows
        rows = pa.concat_tables([getattr(held, name), rows])
        below = pc.less(rows["offset"], position)
        return rows.filter(below), rows.filter(pc.invert(below))

    metrics, spans, letters, redactions = (part(n) for n in ("metrics", "spans", "dead_letters", "redactions"))
    lines = pa.chunked_array([held.lines, *_chunks(arrived.lines)], pa.int64())
    waiting = lines.filter(pc.greater_equal(lines, position)).combine_chunks()
    filtered = pa.concat_arrays([held.filtered, arrived.filtered])
    passed = pc.less(filtered, position)
    return (
        _Held(metrics[0], spans[0], letters[0], redactions=redactions[0], filtered=filtered.filter(passed)),
        _Held(metrics[1], spans[1], letters[1], waiting, redactions[1], filtered.filter(pc.invert(passed))),
    )


def _chunks(column: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]


def _table(batch: pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches([batch])


def _times(rows: pa.Table, column: str = "time") -> Times:
    return np.asarray(rows[column].cast(pa.int64()).to_numpy())


def _span_ends(spans: pa.Table) -> Times:
    """Spans are exported when they end, so that is when they count."""
    durations = np.clip(spans["duration_us"].to_numpy(), 0, MAX_SPAN_US)
    return np.asarray(_times(spans) + durations)
