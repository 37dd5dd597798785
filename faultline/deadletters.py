"""Dead letters tried again: those that decode now go into a queue, and the pipeline reads it like any other input.

The queue is the table `retries`. A letter's place in it is the position of what it gives, so a retry that is killed is
finished by the next one, and a letter that was queued is never queued again: its rows are stored exactly once.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

import telemetry
from faultline.pipeline import Pipeline
from telemetry import Batch, Fenced, Partition, StoreError

if TYPE_CHECKING:
    from faultline.settings import Settings
    from storage import Reader, Store

QUEUE = Partition("retries", "retries")
INPUT = Partition("retry", "retry")
_MOST = 10_000
_SOON_US = 600_000_000  # no time further ahead than this is left as it is
_WAITING = """
    select id as letter, source as letter_source, "partition" as letter_partition, "offset" as letter_offset,
        time as rejected, units, raw
    from dead_letters where id is not null and id not in (select letter from retries)
        and (? is null or starts_with(id, ?)) and (? is null or reason = ?)
    order by time, id limit ?
"""
_QUEUED = 'select * from retries where "offset" >= ? order by "offset" limit 500'
_STORED = "select coalesce(max(next), 0) as n from ledger where app_id = ?"

Letter = Mapping[str, Any]


@dataclass(frozen=True)
class Retried:
    """What a retry did, in letters: tried; `queued`, of these, as they decode now; stored out of the queue by its end.

    More are stored than queued where a retry before this one was killed.
    """

    tried: int
    queued: int
    stored: int


def retry(store: "Store", settings: "Settings", *, letter: str | None = None, reason: str | None = None) -> Retried:
    """Decode dead letters again and store what can be decoded now; at most 10,000 at a time.

    `letter`: only those whose id begins so; `reason`: only those rejected for it. Raises StoreError, also where another
    retry runs at the same time.
    """
    with store.reader() as reader:
        before = _stored(reader)
        waiting = reader.query(_WAITING, (letter, letter, reason, reason, _MOST)).to_pylist()
        good = [one for one in waiting if _decode(one, 0)]
        try:
            _enqueue(store, good)
        except Fenced:
            raise StoreError("another retry of dead letters has just begun on this store: try again later") from None
        _consume(store, settings, reader)
        return Retried(len(waiting), len(good), _stored(reader) - before)


def _stored(reader: "Reader") -> int:
    return int(reader.query(_STORED, (INPUT.app_id,))["n"][0].as_py())


def _decode(letter: Letter, position: int) -> Batch | None:
    from ingest import decode_again

    rejected = round(letter["rejected"].timestamp() * 1e6)
    source, units = letter["letter_source"], letter["units"]
    return decode_again(letter["raw"], source, units, rejected, _input(), position, time.time())


def _input() -> Partition:
    """Return the input that a retry is: a time that was ahead of the clock need not be any more."""
    return replace(INPUT, written_us=round(time.time() * 1e6))


def _enqueue(store: "Store", letters: Sequence[Letter]) -> None:
    from storage import Move

    if not letters:
        return
    writer = store.writer()
    start = writer.position("retries", QUEUE.app_id) or 0
    common = {"time": datetime.now(UTC), "source": QUEUE.source, "partition": QUEUE.number}
    rows = [{**letter, **common, "offset": start + place} for place, letter in enumerate(letters)]
    move = Move.of(QUEUE, writer.position("ledger", QUEUE.app_id) or 0, start + len(rows))
    writer.commit({"retries": pa.Table.from_pylist(rows, telemetry.RETRIES)}, [move])


def _consume(store: "Store", settings: "Settings", reader: "Reader") -> None:
    """Store what is in the queue. All of it is late: detection has passed, or must not depend on when we come."""
    source = _Queue(reader)
    pipeline = Pipeline(source, store, settings, late_before_us=round(time.time() * 1e6) + _SOON_US)
    with closing(pipeline):
        while not source.finished:
            pipeline.step()
        while not pipeline.flush(snapshot=True):
            time.sleep(1.0)


class _Queue:
    """The queue as a source of one partition."""

    name = "retry"

    def __init__(self, reader: "Reader") -> None:
        self._reader, self._next = reader, 0
        self.finished = False
        self.drained: frozenset[str] = frozenset()
        self.skipped: list[tuple[str, str]] = []
        self.known = frozenset({INPUT.app_id})
        self.ends: Mapping[str, int] = {}

    def partitions(self) -> list[Partition]:
        """Return the one partition."""
        return [_input()]

    def seek(self, positions: Mapping[str, int]) -> None:
        """Continue at a place in the queue."""
        self._next, self.finished = positions.get(INPUT.app_id, self._next), False

    def poll(self, timeout_s: float, watermarks: Mapping[str, int | None]) -> list[Batch]:
        """Return one batch a letter; after the last, one that closes the partition."""
        rows = self._reader.query(_QUEUED, (self._next,)).to_pylist()
        if not rows:
            self.finished = True
            return [Batch(INPUT, self._next, self._next, 0, closed=True)]
        self._next = rows[-1]["offset"] + 1
        return [_decode(row, row["offset"]) or _rejected(row) for row in rows]

    def acknowledge(self, positions: Mapping[str, int]) -> None:
        """The queue stays as it is."""

    def close(self) -> None:
        """Nothing is held."""


def _rejected(row: Letter) -> Batch:
    """Return the batch of a letter that no longer decodes, although it did when it was queued."""
    letter = {name: row[name] for name in ("time", "offset", "units", "raw")}
    letter |= {"source": INPUT.source, "partition": INPUT.number, "reason": "retry_failed"}
    letter["detail"] = f"dead letter {row['letter']} decoded when it was queued and does not now"
    table = pa.Table.from_pylist([letter], telemetry.DEAD_LETTERS)
    return Batch(INPUT, row["offset"], row["offset"] + 1, row["units"], dead_letters=table)
