"""Complete lines of a file that may still grow, from any byte position, in bounded memory."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xxhash

from ingest._tables import Ints
from ingest._text import MAX_LINE, Lines, cut_line, split_lines
from ingest._unpack import MAX_UNPACKED, Unpacked, packing, utf16

BLOCK = 1024 * 1024
MAX_LINES = 8192
BOM = b"\xef\xbb\xbf"  # UTF-8's byte order mark, which is no text
_IDENTITY_BYTES = 64 * 1024


@dataclass(frozen=True)
class Chunk:
    """Some whole lines: their bytes without the last newline, where each begins, and where the next chunk begins."""

    data: bytes
    offsets: Ints
    next: int
    cut: Lines | None = None  # the one line, where it is too long to be read whole

    def lines(self) -> Lines:
        """Return the lines as text."""
        return self.cut or split_lines(self.data)


@dataclass
class _LongLine:
    """A line longer than a block, as far as it has been scanned."""

    head: bytes
    scanned: int
    digest: "xxhash.xxh3_128"


class TextFile:
    """An open file, read line by line. Raises OSError where the system does, and where compressed data is broken.

    `whole`: it does not grow; then it may be compressed or in UTF-16, and all positions are those of the text it holds,
    of at most `limit` bytes.
    """

    def __init__(self, path: Path, whole: bool = False, limit: int = MAX_UNPACKED) -> None:
        self._file = path.open("rb")
        self.position = 0
        self._long: _LongLine | None = None
        self._unpacked: Unpacked | None = None
        stored = self._at(0, 4096)
        self.packed = packing(stored) or utf16(stored)
        try:
            if whole and self.packed:
                self._unpacked = Unpacked(path, packing(stored), limit)
            self._head = self._at(0, _IDENTITY_BYTES).partition(b"\n")[0]
        except OSError:
            self.close()
            raise

    @property
    def size(self) -> int:
        """Its size in bytes now."""
        return os.fstat(self._file.fileno()).st_size if self._unpacked is None else self._unpacked.size()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        if self._unpacked is not None:
            self._unpacked.close()

    def _at(self, position: int, size: int = BLOCK) -> bytes:
        if self._unpacked is not None:
            return self._unpacked.at(position, size)
        return os.pread(self._file.fileno(), size, position)

    def line_starts(self) -> Ints:
        """Return the offset at which each line begins."""
        found, at = [np.zeros(1, np.int64)], 0
        while block := self._at(at):
            found.append(np.flatnonzero(np.frombuffer(block, np.uint8) == 10) + at + 1)
            at += len(block)
        starts = np.concatenate(found)
        return starts[starts < at]

    def identity(self, final: bool) -> str | None:
        """Return device, inode and the hash of the first line; None while there is no whole line (`final`: no byte)."""
        head = self._at(0, _IDENTITY_BYTES)
        line, newline, _ = head.partition(b"\n")
        if not head or not (newline or final or len(head) == _IDENTITY_BYTES):
            return None
        status = os.fstat(self._file.fileno())
        return f"{status.st_dev}:{status.st_ino}:{xxhash.xxh3_64_hexdigest(line)}"

    def replaced(self) -> bool:
        """Whether the file no longer begins with the line it began with, or is shorter than what was read."""
        return self.size < self.position or self._at(0, len(self._head)) != self._head

    def head_lines(self) -> str:
        """Return the whole lines of the first block (of a file of one line, that line)."""
        head = self._at(0)
        whole = head[: head.rfind(b"\n") + 1]
        return (whole if whole.count(b"\n") > 1 else head).decode("utf-8", "replace")

    def head(self, size: int) -> bytes:
        """Return the first bytes."""
        return self._at(0, size)

    def first_line(self) -> str:
        """Return the first line that is not blank, as far as it lies in the first block."""
        for line in self._at(0).removeprefix(BOM).split(b"\n"):
            if line.strip():
                return line.decode("utf-8", "replace").removesuffix("\r")
        return ""

    def count_lines(self, position: int) -> int:
        """Return how many newlines lie before a position."""
        found = at = 0
        while at < position:
            block = self._at(at, min(BLOCK, position - at))
            if not block:
                break
            found += block.count(b"\n")
            at += len(block)
        return found

    def offset_of_line(self, number: int) -> int | None:
        """Return where the line with this 0-based number begins; None if the file is shorter."""
        at = 0
        while number > 0:
            block = self._at(at)
            if not block:
                return None
            here = np.flatnonzero(np.frombuffer(block, np.uint8) == 10)
            if len(here) >= number:
                return at + int(here[number - 1]) + 1
            number -= len(here)
            at += len(block)
        return at

    def read(self, final: bool, max_lines: int = MAX_LINES) -> Chunk | None:
        """Return the next whole lines and move on; None if there are none (yet).

        `final`: what follows the last newline is a line too.
        """
        data = self._at(self.position)
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)[:max_lines]
        if len(ends):
            return self._move(data[: ends[-1]], ends[:-1] + 1, int(ends[-1]) + 1)
        if len(data) == BLOCK:
            return self._read_long(final, data)
        if data and final:
            return self._move(data, ends, len(data))
        return None

    def _move(self, data: bytes, starts: Ints, length: int, cut: Lines | None = None) -> Chunk:
        offsets = np.concatenate([[0], starts]).astype(np.int64) + self.position
        if not self.position:
            data = data.removeprefix(BOM)
        self.position += length
        return Chunk(data, offsets, self.position, cut)

    def _read_long(self, final: bool, data: bytes) -> Chunk | None:
        """Find the end of a line longer than a block, keeping only its head and its hash."""
        long = self._long or _LongLine(data[: MAX_LINE + 4], 0, xxhash.xxh3_128())
        self._long = long
        while True:
            block = self._at(self.position + long.scanned)
            end = block.find(b"\n")
            part = block if end < 0 else block[:end]
            long.digest.update(part)
            long.scanned += len(part)
            if end >= 0 or (final and not block):
                self._long = None
                cut = cut_line(long.head, long.scanned, long.digest.hexdigest())
                return self._move(b"", np.zeros(0, np.int64), long.scanned + (end >= 0), cut)
            if not block:
                return None

    def seek(self, position: int) -> None:
        """Go on at this byte."""
        self.position, self._long = position, None
