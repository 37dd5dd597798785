"""The OTLP source: what senders deliver over HTTP, by way of a journal.

The promise: a request is answered 200 only when it is in the journal and the journal is on the disk. What is in the
journal reaches the tables exactly once, whatever is killed when. A sender that gets no answer, because the line or this
process broke down in between, sends again, as it must: then its records may be there twice. At-least-once ends, and
exactly-once begins, where the journal is written.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa

from ingest._journal import SEGMENT, Entry, Journal
from ingest._json import Envelope
from ingest._otlp import SIGNALS, decode_otlp, from_json, from_protobuf
from ingest._otlp_access import Access
from ingest._otlp_http import Answer, OtlpServer
from ingest._source import OnePartition
from ingest._tables import MAX_RAW, DeadLetters
from telemetry import Batch, DecodeError, Partition, PositionLost

log = logging.getLogger("faultline.ingest")

LISTEN = "127.0.0.1:4318"
MAX_BACKLOG = 1024 * 1024 * 1024
"""The journal may be this many bytes ahead of the pipeline; senders are then told to wait."""
_POLL_BYTES = 4 * 1024 * 1024
_REFUSED = len(SIGNALS)  # the kind of a journal record that holds a refused request; the others are signals
_WARN_S = 30.0
_OPEN = Access()


class OtlpSource(OnePartition):
    """Listens for OTLP/HTTP on `listen` and keeps what comes in a journal in `folder`. Position: bytes of journal.

    With `once` it does not listen, and ends when the journal is read to its end. Senders are answered 429 while more
    than `max_backlog` bytes wait to be read. `access` says who may send. Raises SourceError if the address, the
    certificate or the journal cannot be had.
    """

    name = "otlp"

    def __init__(
        self,
        folder: Path,
        listen: str = LISTEN,
        *,
        once: bool = False,
        max_backlog: int = MAX_BACKLOG,
        segment: int = SEGMENT,
        access: Access = _OPEN,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder, self._journal = folder, Journal(folder, segment)
        super().__init__(Partition(f"otlp:{self._journal.id}", "otlp"))
        self._once, self._max_backlog, self._clock = once, max_backlog, clock
        self._next: int | None = None
        self._arrived = threading.Event()
        self._warned_at = -_WARN_S
        self._closing = False
        try:
            self._server = None if once else OtlpServer(listen, self._take, self._refuse, access)
        except BaseException:
            self._journal.close()
            raise

    @property
    def port(self) -> int | None:
        """The port listened on."""
        return self._server.port if self._server else None

    @property
    def outcomes(self) -> dict[str, int]:
        """Requests so far, by the status they were answered with, or by what they came to instead."""
        return dict(self._server.outcomes) if self._server else {}

    @property
    def journal_bytes(self) -> int:
        """What the journal holds on the disk."""
        return self._journal.end - self._journal.begin

    @property
    def backlog_bytes(self) -> int:
        """What of it the pipeline has not read yet."""
        return self._journal.end - (self._next or self._journal.begin)

    # -- requests, in the server's threads ------------------------------------------------------------------------

    def _take(self, signal: str, body: bytes, is_json: bool) -> Answer:
        """Put a request into the journal, as protobuf, and answer."""
        if self._closing:
            return Answer(503, "shutting down", 5)
        if self.backlog_bytes > self._max_backlog:
            self._warn("the pipeline is %d bytes behind: senders are told to wait", self._max_backlog)
            return Answer(429, "the pipeline is behind", 2)
        try:
            found = from_json(signal, body) if is_json else from_protobuf(signal, body)
        except DecodeError as error:
            self._refuse(error, body)
            return Answer(400, str(error))
        data = found.SerializeToString() if is_json else body
        return self._append(SIGNALS.index(signal), data) if data else Answer(200)

    def _refuse(self, error: DecodeError, raw: bytes) -> None:
        """Note a request that was refused: a dead letter tells of it."""
        head = orjson.dumps([error.reason, error.detail[:300]], default=str)
        self._append(_REFUSED, head + b"\n" + raw[:MAX_RAW])

    def _append(self, kind: int, data: bytes) -> Answer:
        try:
            self._journal.append(kind, round(self._clock() * 1e6), data)
        except OSError as error:
            self._warn("cannot write the journal: %s; senders are told to wait", error.strerror or error)
            return Answer(503, "cannot store anything now", 10)
        self._arrived.set()
        return Answer(200)

    def _warn(self, text: str, value: object) -> None:
        if time.monotonic() - self._warned_at >= _WARN_S:
            self._warned_at = time.monotonic()
            log.warning(text, value)

    # -- the Source -----------------------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether the journal has been read to its end (`once`)."""
        return self._once and self._next is not None and self._next >= self._journal.end

    @property
    def ends(self) -> Mapping[str, int]:
        """The end of the journal, in bytes."""
        return {self._partition.app_id: self._journal.end}

    def seek(self, positions: Mapping[str, int]) -> None:
        """Continue at this position. Raises PositionLost if the journal does not reach back, or up, to it."""
        position = positions.get(self._partition.app_id, self._next)
        begin, end = self._journal.begin, self._journal.end
        if position and not begin <= position <= end:
            raise PositionLost(
                f"the journal in {self._folder} holds bytes {begin} to {end}, but {position} comes next: was it cut "
                "or swapped? To go on without it, delete that folder"
            )
        self._next = position or begin

    def poll(self, timeout_s: float, watermarks: Mapping[str, int | None]) -> list[Batch]:
        """Return the requests that have come, up to about 4 MiB."""
        if self._next is None:
            return []
        if self._next >= self._journal.end and not self._once:
            self._arrived.wait(timeout_s)
        self._arrived.clear()
        found: list[Batch] = []
        run: list[Entry] = []
        for entry in self._journal.read(self._next, _POLL_BYTES):
            if run and entry.kind != run[0].kind:
                found.append(self._batch(run))
                run = []
            run.append(entry)
        if run:
            found.append(self._batch(run))
        self._drained = not found
        return found

    def acknowledge(self, positions: Mapping[str, int]) -> None:
        """Delete the journal's segments below the position, which the store has for good."""
        self._journal.trim(positions.get(self._partition.app_id, 0))

    def close(self) -> None:
        """Stop listening. What was acknowledged and not yet read stays in the journal for the next run."""
        self._closing = True
        if self._server:
            self._server.close()
        self._journal.close()

    # -- batches --------------------------------------------------------------------------------------------------

    def _batch(self, run: list[Entry]) -> Batch:
        """Return the batch of consecutive journal records of one kind."""
        assert self._next is not None
        start, self._next = self._next, run[-1].next
        if run[0].kind is None or run[0].kind >= _REFUSED:
            return self._refusals(run, start)
        envelope = Envelope(
            self._partition,
            np.array([entry.position for entry in run], np.int64),
            None,
            pa.nulls(len(run), pa.string()),
            np.array([entry.observed_us for entry in run], np.int64),
            {},
        )
        decoded = decode_otlp(SIGNALS[run[0].kind], [entry.payload for entry in run], envelope)
        return decoded.batch(envelope, start, self._next)

    def _refusals(self, run: list[Entry], start: int) -> Batch:
        letters = DeadLetters(self._partition, run[-1].observed_us or round(self._clock() * 1e6))
        for entry in run:
            if entry.kind is not None:
                head, _, raw = entry.payload.partition(b"\n")
                reason, detail = orjson.loads(head)
                letters.add(entry.position, reason, detail, raw)
            elif entry.payload:
                detail = f"bytes {entry.position} to {entry.next} of the journal are damaged"
                letters.add(entry.position, "journal_damaged", detail, entry.payload)
        assert self._next is not None
        return Batch(self._partition, start, self._next, letters.units, dead_letters=letters.table())
