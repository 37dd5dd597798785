"""A journal on disk: what was acknowledged to a sender is in it, and stays until the store has it for good.

Records are appended to segment files named by the position of their first byte; a record's position is the byte it
begins at, counted over all segments. `append` returns once the record is on the disk (fsync, shared by all who wait).
What a crash leaves unfinished at the end of a segment was never acknowledged: every opening begins a new segment, and
readers pass such an end by. Only one process at a time has a journal open.
"""

import fcntl
import logging
import os
import struct
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import xxhash

from telemetry import SourceError

log = logging.getLogger("faultline.ingest")

SEGMENT = 64 * 1024 * 1024
"""A segment that has this many bytes is followed by a new one; whole segments are deleted."""
_HEAD = struct.Struct("<QIQB")  # xxh3-64 of what follows it, length of the payload, observed time (us), kind
_SUM = 8


@dataclass(frozen=True)
class Entry:
    """One record; `kind` None: bytes that should have been a record, but are damaged."""

    position: int
    next: int
    kind: int | None
    observed_us: int
    payload: bytes


class Journal:
    """Appends from several threads, reads from one. Raises SourceError if the folder is not usable or in use."""

    def __init__(self, folder: Path, segment: int = SEGMENT) -> None:
        self._folder, self._segment = folder, segment
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock_file: int | None = _locked(folder / "lock")
            self.id = _identity(folder)
            self._starts = sorted(int(path.stem) for path in folder.glob("*.journal"))
            size = _durable_size(self._path(self._starts[-1])) if self._starts else 0
        except OSError as error:
            raise SourceError(f"cannot keep a journal in {folder}: {error.strerror}") from None
        self._written = self._synced = (self._starts[-1] if self._starts else 0) + size
        self._turn = threading.Condition()  # guards all below
        self._fd: int | None = None
        self._syncing = self._closed = False
        self._losses = 0  # failed syncs: a record written before one is gone

    def _path(self, start: int) -> Path:
        return self._folder / f"{start:020d}.journal"

    @property
    def begin(self) -> int:
        """The first position still held."""
        return self._starts[0] if self._starts else 0

    @property
    def end(self) -> int:
        """The position after the last record that is on the disk."""
        return self._synced

    # -- writing --------------------------------------------------------------------------------------------------

    def append(self, kind: int, observed_us: int, payload: bytes) -> None:
        """Add a record; return when it is on the disk. Raises OSError if that fails: then it is not in the journal."""
        tail = _HEAD.pack(0, len(payload), observed_us, kind)[_SUM:] + payload
        with self._turn:
            self._make_writable()
            self._write(struct.pack("<Q", xxhash.xxh3_64_intdigest(tail)) + tail)
            self._wait_for(self._written)

    def _make_writable(self) -> None:
        if self._fd is not None and self._written - self._starts[-1] >= self._segment:
            self._wait_for(self._written)
            if self._fd is not None and self._written == self._synced and not self._syncing:
                os.close(self._fd)
                self._fd = None
        if self._closed:
            raise OSError("the journal is closed")
        if self._fd is None:
            self._fd = _new_segment(self._folder, self._path(self._written))
            if self._written not in self._starts:
                self._starts = [*self._starts, self._written]

    def _write(self, data: bytes) -> None:
        assert self._fd is not None
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError:
            self._cut_to(self._written)
            raise
        self._written += len(data)

    def _wait_for(self, mine: int) -> None:
        """Wait until everything below `mine` is on the disk; whoever comes first takes the others along."""
        losses = self._losses
        while self._synced < mine:
            if self._syncing:
                self._turn.wait()
            elif self._closed:
                raise OSError("the journal is closed")
            else:
                self._sync()
            if losses != self._losses:
                raise OSError("the journal could not be brought to the disk")

    def _sync(self) -> None:
        """Bring what is written to the disk; others may write meanwhile."""
        fd, written = self._fd, self._written
        assert fd is not None
        self._syncing = True
        self._turn.release()
        failed: OSError | None = None
        try:
            os.fdatasync(fd)
        except OSError as error:
            failed = error
        finally:
            self._turn.acquire()
            self._syncing = False
            self._turn.notify_all()
        if failed is None:
            self._synced = written
            return
        # What a failed fsync has not written may be dropped and yet read back until then: nothing of it can be trusted.
        log.error("cannot bring the journal in %s to the disk: %s", self._folder, failed.strerror)
        self._losses += 1
        self._cut_to(self._synced)
        self._written = self._synced
        os.close(fd)
        self._fd = None

    def _cut_to(self, position: int) -> None:
        """Take back what was written from `position` on; nobody was told that it is in the journal."""
        try:
            os.ftruncate(self._fd or -1, position - self._starts[-1])
        except OSError as error:
            self._closed = True
            log.error("the journal in %s takes no more records: %s", self._folder, error.strerror)

    # -- reading --------------------------------------------------------------------------------------------------

    def read(self, position: int, most: int) -> Iterator[Entry]:
        """Yield the records from `position` on, up to about `most` bytes; damaged ones as such."""
        end, stop = self.end, position + most
        for start, following in pairwise([*self._starts, end]):
            if following <= position or start >= min(end, stop):
                continue
            with self._path(start).open("rb") as file:
                for entry in _entries(file.fileno(), start, max(position, start), min(following, end)):
                    yield entry
                    if entry.next >= stop:
                        return

    def trim(self, position: int) -> None:
        """Delete segments that lie below `position` as a whole; the last one stays, as it says where the end is."""
        while len(self._starts) > 1 and self._starts[1] <= position:
            with suppress(FileNotFoundError):
                self._path(self._starts[0]).unlink()
            self._starts = self._starts[1:]

    def close(self) -> None:
        """Let go of the folder."""
        with self._turn:
            self._turn.wait_for(lambda: not self._syncing)
            self._closed = True
            for fd in (self._fd, self._lock_file):
                if fd is not None:
                    os.close(fd)
            self._fd = self._lock_file = None
            self._turn.notify_all()


def _entries(fd: int, start: int, position: int, end: int) -> Iterator[Entry]:
    """Yield the records of one segment from `position` on; what is left at its end when none follows is one step."""
    while position < end:
        head = os.pread(fd, _HEAD.size, position - start)
        digest, length, observed_us, kind = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, 2**32, 0, 0)
        next = position + _HEAD.size + length
        if next > end:  # never finished, never acknowledged
            log.info("passing by %d bytes at the end of a journal segment that a crash left unfinished", end - position)
            yield Entry(position, end, None, 0, b"")
            return
        payload = os.pread(fd, length, position - start + _HEAD.size)
        if xxhash.xxh3_64_intdigest(head[_SUM:] + payload) != digest:
            log.error("the journal is damaged at %d: %d bytes behind that are lost", position, end - position)
            yield Entry(position, end, None, 0, head + payload)
            return
        yield Entry(position, next, kind, observed_us, payload)
        position = next


def _new_segment(folder: Path, path: Path) -> int:
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        _sync_folder(folder)
    except OSError:
        os.close(fd)
        raise
    return fd


def _durable_size(path: Path) -> int:
    """Return a segment's size, and bring to the disk what a killed process wrote but did not."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size


def _locked(path: Path) -> int:
    fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise SourceError(f"the journal in {path.parent} is in use by another process") from None
    return fd


def _identity(folder: Path) -> str:
    """Return what tells this journal from a later one in the same folder, made at the first opening."""
    path = folder / "id"
    with suppress(FileNotFoundError):
        if known := path.read_text().strip():
            return known
    fresh = folder / "id.new"
    with fresh.open("w") as file:
        file.write(uuid.uuid4().hex)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _sync_folder(folder)
    return path.read_text().strip()


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
