"""Readers of one file each: text lines, metric tables in CSV, logs and spans in Parquet."""

from typing import Any, Protocol

import numpy as np
import pyarrow as pa

import telemetry
from ingest import _csv
from ingest._ahead import settled
from ingest._decode import Stream, decode, sniff
from ingest._fields import DEFAULT, Names
from ingest._json import Envelope
from ingest._tables import DeadLetters, build, origin
from ingest._textfile import MAX_LINES, TextFile
from telemetry import Batch, Partition, PositionLost

_JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")


class Reader(Protocol):
    """One open file, read batch by batch from any of its positions."""

    partition: Partition

    @property
    def position(self) -> int:
        """What comes next."""

    def seek(self, position: int) -> None:
        """Go on at this position. Raises PositionLost where the file does not reach so far."""

    def read(self, final: bool, observed_us: int) -> Batch | None:
        """Return the next batch, seen at this time; None if there is none (yet). `final`: the file will not grow."""

    def replaced(self) -> bool:
        """Whether the file no longer begins as it did, or is shorter than what was read."""

    def close(self) -> None:
        """Let go of the file."""


class Unsupported(Exception):
    """The file cannot be read as telemetry; the message says why."""


class TextReader:
    """Raw lines and JSON lines. Position: byte offset of the next line."""

    def __init__(
        self, suffix: str, file: TextFile, partition: Partition, service: str | None, names: Names = DEFAULT
    ) -> None:
        self.partition, self._file, self._service, self._names = partition, file, service, names
        first = file.first_line()
        if suffix == ".json" and first.strip() in ("{", "["):
            raise Unsupported("one JSON document, want one record a line")
        self._stream = sniff(first)
        if self._stream is Stream.RAW and suffix in _JSON_SUFFIXES:
            self._stream = Stream.LOGS
        self._line = 0

    @property
    def position(self) -> int:
        """Byte offset of the next line."""
        return self._file.position

    def seek(self, position: int) -> None:
        """Go on at this byte."""
        if position:
            _check(position, self._file.size, self.partition, "bytes")
        self._file.seek(position)
        self._line = self._file.count_lines(position)

    def read(self, final: bool, observed_us: int) -> Batch | None:
        """Return up to 8192 lines."""
        start = self._file.position
        chunk = self._file.read(final)
        if chunk is None:
            return None
        lines = chunk.lines()
        count = len(lines.text)
        envelope = Envelope(
            self.partition,
            chunk.offsets,
            np.arange(self._line + 1, self._line + count + 1),
            pa.repeat(pa.scalar(self._service, pa.string()), count),
            np.full(count, observed_us),
            lines.notes,
            self._names,
        )
        self._line += count
        return decode(lines.text, envelope, self._stream).batch(envelope, start, chunk.next)

    def replaced(self) -> bool:
        """Whether the file was truncated or written anew."""
        return self._file.replaced()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class CsvReader:
    """A metric table. Position: number of the next data row; a blank line is a row of empty cells."""

    def __init__(self, file: TextFile, partition: Partition, service: str | None) -> None:
        self.partition, self._row, self._file = partition, 0, file
        try:
            self.header = _csv.read_header(file.head_lines(), service)
        except _csv.NotATable as error:
            raise Unsupported(f"not a metric table: {error}") from None
        self._names = [pa.array([getattr(s, name) for s in self.header.series]) for name in ("service", "metric")]
        file.seek(file.offset_of_line(self.header.rows) or file.size)

    @property
    def position(self) -> int:
        """Number of the next data row."""
        return self._row

    def seek(self, position: int) -> None:
        """Go on at this data row."""
        at = self._file.offset_of_line(self.header.rows + position)
        if at is None:
            rows = self._file.count_lines(self._file.size) - self.header.rows
            _check(position, rows, self.partition, "rows")
            at = self._file.size
        self._file.seek(at)
        self._row = position

    def read(self, final: bool, observed_us: int) -> Batch | None:
        """Return rows that hold about 8192 points."""
        chunk = self._file.read(final, max(1, MAX_LINES // len(self.header.series)))
        if chunk is None:
            return None
        start = self._row
        letters = DeadLetters(self.partition, observed_us)
        if chunk.cut is not None:
            self._row += 1
            letters.add(start, "too_long", "a row longer than 1 MiB", chunk.cut.text[0].as_py())
            return Batch(self.partition, start, self._row, 1, dead_letters=letters.table())
        rows = _csv.parse_rows(chunk.data, self.header)
        self._row += rows.lines
        for number, text in rows.broken:
            letters.add(start + number, "bad_row", f"want {self.header.width} cells", text)
        metrics, empty = self._points(rows, start, observed_us, letters)
        read = len(metrics) + letters.units + empty
        return Batch(self.partition, start, self._row, read, empty, metrics=metrics, dead_letters=letters.table())

    def _points(self, rows: _csv.Rows, start: int, observed_us: int, letters: DeadLetters) -> tuple[pa.Table, int]:
        """Return METRICS rows, row by row, and how many cells were empty."""
        filled = ~np.isnan(rows.values)
        empty = int(filled.size - filled.sum()) - len(rows.bad)
        for row, k, text in rows.bad:
            letters.add(
                start + int(rows.number[row]),
                "bad_value",
                f"{self.header.series[k].name}: {text!r:.60} is no number",
                text,
            )
        for row in np.flatnonzero(~rows.timed).tolist():
            text, units = rows.time[row].as_py(), int(filled[row].sum())
            if units:
                letters.add(start + int(rows.number[row]), "bad_time", f"time {text!r:.60} cannot be used", text, units)
            filled[row] = False
        for row, k in np.argwhere(filled & np.isinf(rows.values)).tolist():
            letters.add(start + int(rows.number[row]), "not_finite", f"{self.header.series[k].name} is infinite", "inf")
            filled[row, k] = False
        return settled(self._table(rows, filled, start), observed_us, self.partition.written_us), empty

    def _table(self, rows: _csv.Rows, filled: Any, start: int) -> pa.Table:
        row, k = np.nonzero(filled)
        service, metric = (names.take(pa.array(k)) for names in self._names)
        columns = {
            "time": rows.us[row], "service": service, "metric": metric, "value": rows.values[row, k], "late": False,
            "offset": start + rows.number[row], **origin(self.partition),
        }  # fmt: skip
        return build(telemetry.METRICS, len(row), columns)

    def replaced(self) -> bool:
        """Whether the file was truncated or written anew."""
        return self._file.replaced()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _check(position: int, size: int, partition: Partition, unit: str) -> None:
    if position > size:
        raise PositionLost(
            f"{partition.source} has {size} {unit}, but {position} were read of it before: it was truncated or replaced"
        )
