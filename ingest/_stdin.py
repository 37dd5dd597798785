"""Standard input as a source: one partition whose position cannot be replayed."""

import os
import select
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import IO

import numpy as np
import pyarrow as pa
import xxhash

from ingest._decode import Stream, decode, sniff
from ingest._fields import Names
from ingest._json import Envelope
from ingest._source import OnePartition
from ingest._text import MAX_LINE, Lines, cut_line, split_lines
from ingest._textfile import BLOCK, MAX_LINES
from telemetry import Batch, Partition, PositionLost


class StdinSource(OnePartition):
    """Reads lines from standard input (or `stream`, anything with a file descriptor) until its end.

    What was read cannot be read again: after a crash, lines not yet stored are lost, and each run is a partition of
    its own. Position: bytes read so far.
    """

    name = "stdin"

    def __init__(
        self,
        stream: IO[bytes] | None = None,
        *,
        service: str | None = None,
        fields: Mapping[str, Sequence[str]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fd = (stream or sys.stdin.buffer).fileno()
        super().__init__(Partition(f"stdin:{uuid.uuid4().hex}", "stdin"))
        self._service, self._clock = service, clock
        self._names = Names(fields)
        self._buffer = b""
        self._dropped, self._digest = 0, xxhash.xxh3_128()  # of a line longer than a block: bytes let go, hash of them
        self._position = self._line = 0
        self._stream: Stream | None = None
        self._at_end = self._closed = False

    @property
    def finished(self) -> bool:
        """Whether the end of the input has been handed out."""
        return self._closed

    def seek(self, positions: Mapping[str, int]) -> None:
        """Do nothing at the present position. Raises PositionLost at any other."""
        position = positions.get(self._partition.app_id, self._position)
        if position != self._position:
            raise PositionLost(
                f"stdin is at byte {self._position} and cannot go to {position}: it cannot be read again"
            )

    def poll(self, timeout_s: float, watermarks: Mapping[str, int | None]) -> list[Batch]:
        """Return the lines that have come, at most about 8192."""
        self._fill(timeout_s)
        batch = self._take()
        self._drained = batch is None
        if batch is None and self._at_end and not self._closed:
            self._closed = True
            batch = Batch(self._partition, self._position, self._position, 0, closed=True)
        return [] if batch is None else [batch]

    def _fill(self, timeout_s: float) -> None:
        """Read what is there, up to a block beyond what is buffered."""
        while not self._at_end and len(self._buffer) < BLOCK:
            ready, _, _ = select.select([self._fd], [], [], 0 if b"\n" in self._buffer else timeout_s)
            if not ready:
                return
            data = os.read(self._fd, BLOCK)
            self._at_end = not data
            self._buffer += data

    def _take(self) -> Batch | None:
        """Return the whole lines in the buffer as a batch."""
        ends = np.flatnonzero(np.frombuffer(self._buffer, np.uint8) == 10)
        if self._dropped or (not len(ends) and len(self._buffer) >= BLOCK):
            return self._take_long(int(ends[0]) if len(ends) else -1)
        ends = ends[:MAX_LINES]
        if len(ends):
            size, length = int(ends[-1]), int(ends[-1]) + 1
        elif self._at_end and self._buffer:
            size = length = len(self._buffer)
        else:
            return None
        data, self._buffer = self._buffer[:size], self._buffer[length:]
        starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else np.zeros(1, np.int64)
        return self._batch(split_lines(data), starts + self._position, length)

    def _take_long(self, end: int) -> Batch | None:
        """Of a line longer than a block only the head and the hash are kept."""
        size = end if end >= 0 else len(self._buffer)
        keep = MAX_LINE + 4
        if not self._dropped:
            self._head = self._buffer[:keep]
        self._digest.update(self._buffer[:size])
        self._dropped += size
        self._buffer = self._buffer[size + (end >= 0) :]
        if end < 0 and not self._at_end:
            return None
        lines = cut_line(self._head, self._dropped, self._digest.hexdigest())
        length = self._dropped + (end >= 0)
        self._dropped, self._digest, self._head = 0, xxhash.xxh3_128(), b""
        return self._batch(lines, np.array([self._position]), length)

    def _batch(self, lines: Lines, offsets: "np.typing.NDArray[np.int64]", length: int) -> Batch:
        count, now = len(lines.text), self._clock()
        if self._stream is None:
            first = next((text for text in lines.text.to_pylist() if text.strip()), None)
            self._stream = None if first is None else sniff(first)
        start, first_line = self._position, self._line + 1
        self._position += length
        self._line += count
        envelope = Envelope(
            self._partition,
            offsets,
            np.arange(first_line, first_line + count),
            pa.repeat(pa.scalar(self._service, pa.string()), count),
            np.full(count, round(now * 1e6)),
            lines.notes,
            self._names,
        )
        return decode(lines.text, envelope, self._stream or Stream.RAW).batch(envelope, start, self._position)

    def acknowledge(self, positions: Mapping[str, int]) -> None:
        """Nothing was kept."""

    def close(self) -> None:
        """Let go; the descriptor stays open, as it is not ours."""
        self._closed = True
