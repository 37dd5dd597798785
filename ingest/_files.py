"""The files source: folders and files, read once or followed as they grow, merged by event time."""

import logging
import os
import resource
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest._discover import looks_binary, printable, service_of_file, unpacked_name, walk
from ingest._fields import Names
from ingest._parquet import ParquetReader
from ingest._readers import CsvReader, Reader, TextReader, Unsupported
from ingest._tables import Ints
from ingest._textfile import TextFile
from ingest._times import LATEST_US
from ingest._unpack import MAX_UNPACKED
from telemetry import Batch, Partition, PositionLost, SourceError

log = logging.getLogger("faultline.ingest")

_SCAN_S = 1.0
_ENOUGH = 8192


def _most_files() -> int:
    """Return how many files may be open here: half of what the process may have, as the store needs some too."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limit // 2 if limit != resource.RLIM_INFINITY else 2**20


@dataclass
class _Tracked:
    """One file that is or was read."""

    path: Path
    reader: Reader
    file_id: tuple[int, int]
    observed_us: int
    sought: bool = False
    ended: bool = False  # it will not grow any more
    closed: bool = False  # read to its end and said so


class FilesSource:
    """Reads files and folders. Each file is a partition; of several with data, the one behind in event time is read.

    With `once`, files are read to their end as they are now; rows were observed when the file was last written.
    Compressed files (gzip, bzip2, xz, zstd) and those in UTF-16 are then read as the text they hold, of at most
    `max_unpacked` bytes. Otherwise files are followed, new ones are found, and rotated ones read to their end; rows are
    observed as they are read. `service` names the service of all files (otherwise: the record, or the file name);
    `fields` are own names of the fields of JSON records (meaning -> names). `any_time`: no time is ahead of the clock.
    Raises SourceError if a path does not exist. A position the file no longer reaches is logged, listed in `skipped`,
    and the rest goes on.
    """

    name = "files"

    def __init__(
        self,
        paths: Iterable[str | Path],
        *,
        once: bool = False,
        service: str | None = None,
        fields: Mapping[str, Sequence[str]] | None = None,
        any_time: bool = False,
        max_unpacked: int = MAX_UNPACKED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._max_unpacked = max_unpacked
        self._paths = [Path(path) for path in paths]
        for path in self._paths:
            if not os.path.lexists(path):
                raise SourceError(f"no such file or folder: {path}")
        self._once, self._service, self._any_time, self._clock = once, service, any_time, clock
        self._names = Names(fields)
        self._tracked: dict[str, _Tracked] = {}
        self._skipped: dict[Path, str] = {}
        self._refused: dict[Path, tuple[int, int]] = {}  # size and mtime of files that could not be read as they were
        self._drained: frozenset[str] = frozenset()
        self._most = _most_files()
        self._scan()
        self._scanned_at = time.monotonic()

    # -- which files ----------------------------------------------------------------------------------------------

    def _scan(self) -> None:
        """Find new files; notice those that were renamed, replaced or deleted."""
        present: set[tuple[int, int]] = set()
        known = {tracked.file_id: tracked for tracked in self._tracked.values() if not tracked.ended}
        for path, reason in walk(self._paths):
            if reason is not None:
                self._skip(path, reason)
                continue
            try:
                status = path.stat()
            except OSError as error:
                self._skip(path, f"cannot be opened: {error.strerror}")
                continue
            file_id = (status.st_dev, status.st_ino)
            if file_id in present:
                continue  # a second name of the same file
            present.add(file_id)
            if file_id in known and not self._was_replaced(known[file_id]):
                known[file_id].path = path
            elif self._refused.get(path) != (status.st_size, status.st_mtime_ns):
                self._open(path, status)
        for file_id, tracked in known.items():
            tracked.ended |= file_id not in present
        self._forget()

    def _was_replaced(self, tracked: _Tracked) -> bool:
        if self._once or not tracked.reader.replaced():
            return False
        log.error("%s was truncated or written anew: what was not read of it is lost", tracked.path)
        tracked.ended = tracked.closed = True
        return True

    def _forget(self) -> None:
        """Let go of files that are gone and read to their end."""
        if not self._once:
            for app_id in [app for app, tracked in self._tracked.items() if tracked.ended and tracked.closed]:
                self._tracked.pop(app_id).reader.close()

    def _skip(self, path: Path, reason: str) -> None:
        if self._skipped.get(path) != reason:
            log.info("skipped %s: %s", printable(path), reason)
            self._skipped[path] = reason

    def _open(self, path: Path, status: os.stat_result) -> None:
        if len(self._tracked) >= self._most:
            self._skip(path, f"more than {self._most} files at once: raise the limit of open files (ulimit -n)")
            return
        try:
            reader = self._reader(path, self._written_us(status))
        except (OSError, Unsupported) as error:
            self._refused[path] = (status.st_size, status.st_mtime_ns)
            self._skip(path, str(error) if isinstance(error, Unsupported) else f"cannot be opened: {error.strerror}")
            return
        self._skipped.pop(path, None)
        if reader.partition.app_id in self._tracked:
            reader.close()
            return
        tracked = _Tracked(path, reader, (status.st_dev, status.st_ino), status.st_mtime_ns // 1000)
        self._tracked[reader.partition.app_id] = tracked

    def _written_us(self, status: os.stat_result) -> int | None:
        """Return when all of a file was there. Copies keep the time of the last write, and archives set it at will."""
        if self._any_time:
            return LATEST_US
        return max(status.st_mtime_ns, status.st_ctime_ns) // 1000 if self._once else None

    def _reader(self, path: Path, written_us: int | None) -> Reader:
        """Open a file with the reader for its kind. Raises OSError, Unsupported."""
        file = TextFile(path, whole=self._once, limit=self._max_unpacked)
        try:
            if file.packed and not self._once:
                what = f"{file.packed} text" if file.packed.startswith("utf") else f"compressed ({file.packed})"
                raise Unsupported(f"{what}: read with --once only; what grows must be UTF-8")
            identity = file.identity(final=self._once)
            if identity is None:
                raise Unsupported("holds no whole line yet" if file.head(1) else "empty")
            suffix = Path(unpacked_name(path)).suffix.lower()
            partition = Partition(f"file:{identity}", printable(path), written_us=written_us)
            service = self._service or service_of_file(Path(partition.source))
            if suffix == ".parquet":
                file.close()
                if file.packed:
                    raise Unsupported(f"Parquet compressed as a whole ({file.packed}): unpack it first")
                return ParquetReader(path, partition, service)
            if suffix == ".csv":
                return CsvReader(file, partition, service or "unknown")
            if looks_binary(file.head(4096)):
                raise Unsupported("looks binary")
            return TextReader(suffix, file, partition, service, self._names)
        except (Unsupported, OSError):
            file.close()
            raise

    # -- the Source -----------------------------------------------------------------------------------------------

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """What was left out and why, by path."""
        return sorted((printable(path), reason) for path, reason in self._skipped.items())

    @property
    def finished(self) -> bool:
        """Whether all files have been read to their end (`once`)."""
        return self._once and all(tracked.closed for tracked in self._tracked.values())

    @property
    def drained(self) -> frozenset[str]:
        """App ids of the files that had nothing more to read at the last poll."""
        return self._drained

    @property
    def known(self) -> frozenset[str]:
        """App ids of all files."""
        return frozenset(tracked.reader.partition.app_id for tracked in self._tracked.values())

    @property
    def ends(self) -> Mapping[str, int]:
        """Not known: files are looked at one after the other."""
        return {}

    def partitions(self) -> list[Partition]:
        """Return one partition a file."""
        return [tracked.reader.partition for tracked in self._tracked.values()]

    def seek(self, positions: Mapping[str, int]) -> None:
        """Continue at these positions; a file that no longer reaches its position is logged and skipped."""
        for app_id, tracked in list(self._tracked.items()):
            position = positions.get(app_id)
            if position is None and tracked.sought:
                continue
            try:
                tracked.reader.seek(position or 0)
            except PositionLost as error:
                log.error("%s", error)
                self._drop(app_id, str(error))
                continue
            tracked.sought, tracked.closed = True, False

    def _drop(self, app_id: str, reason: str) -> None:
        tracked = self._tracked.pop(app_id)
        tracked.reader.close()
        self._skip(tracked.path, reason)
        status = tracked.path.stat() if tracked.path.exists() else None
        if status is not None:
            self._refused[tracked.path] = (status.st_size, status.st_mtime_ns)

    def poll(self, timeout_s: float, watermarks: Mapping[str, int | None]) -> list[Batch]:
        """Return batches of the files that lag most in event time, about 8192 rows in all."""
        deadline = time.monotonic() + timeout_s
        while True:
            if not self._once and time.monotonic() - self._scanned_at >= _SCAN_S:
                self._scan()
                self._scanned_at = time.monotonic()
            batches = self._read(watermarks)
            left = deadline - time.monotonic()
            if batches or left <= 0 or self.finished:
                return batches
            time.sleep(min(left, 0.05))

    def _read(self, watermarks: Mapping[str, int | None]) -> list[Batch]:
        def behind(item: tuple[str, _Tracked]) -> tuple[int, int, str]:
            mark = watermarks.get(item[0])
            return (-(2**62) if mark is None else mark, item[1].reader.position, item[0])

        batches: list[Batch] = []
        drained: list[str] = []
        rows = 0
        open_files = [item for item in self._tracked.items() if item[1].sought and not item[1].closed]
        for app_id, tracked in sorted(open_files, key=behind):
            try:
                batch = self._read_one(tracked)
            except OSError as error:
                log.error("%s cannot be read any further: %s", tracked.reader.partition.source, error.strerror)
                self._drop(app_id, f"cannot be read any further: {error.strerror}")
                continue
            if batch is None:
                drained.append(app_id)
                continue
            batches.append(batch)
            rows += batch.read
            if rows >= _ENOUGH:
                break
        self._drained = frozenset(drained)
        return batches

    def _read_one(self, tracked: _Tracked) -> Batch | None:
        final = self._once or tracked.ended
        if not self._once and tracked.reader.replaced():
            return None  # the next scan says so
        batch = tracked.reader.read(final, tracked.observed_us if self._once else round(self._clock() * 1e6))
        if batch is None and final:
            tracked.closed = True
            at = tracked.reader.position
            return Batch(tracked.reader.partition, at, at, 0, closed=True)
        return batch

    def acknowledge(self, positions: Mapping[str, int]) -> None:
        """Files stay as they are."""

    def close(self) -> None:
        """Close all files."""
        for tracked in self._tracked.values():
            tracked.reader.close()
        self._tracked.clear()


def line_starts(path: Path) -> Ints:
    """Return the offset at which each line of a file begins, as `FilesSource` with `once` counts. Raises OSError."""
    file = TextFile(path, whole=True)
    try:
        return file.line_starts()
    finally:
        file.close()
