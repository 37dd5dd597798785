"""Unpacking zip and tar.gz archives from the net: nothing outside the folder, no links, no bombs."""

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from benchmarks.datasets._errors import DataError

MAX_RATIO = 200
"""Logs shrink by 10 to 30 times; an archive that claims far more is a bomb."""
_FREE_RATIO_BYTES = 64 * 1024**2
_LEAVE_FREE = 1024**3
_MAX_NAME = 240
_CHUNK = 1 << 20


@dataclass
class Limits:
    """How much an archive may unpack into: bytes and files, counted as they are written."""

    max_bytes: int
    max_files: int
    why: str = "the limit of this data set"
    bytes: int = 0
    files: int = 0

    def add_file(self, archive: Path) -> None:
        """Count one file. Raises DataError."""
        self.files += 1
        if self.files > self.max_files:
            raise DataError(f"{archive.name}: more than {self.max_files} files, refused")

    def add_bytes(self, archive: Path, count: int) -> None:
        """Count bytes written. Raises DataError."""
        self.bytes += count
        if self.bytes > self.max_bytes:
            raise DataError(f"{archive.name}: unpacks to more than {self.max_bytes} bytes ({self.why}), refused")


def limits_for(archive: Path, folder: Path, max_bytes: int, max_files: int) -> Limits:
    """Return the limits of an archive: the data set's, its own size times MAX_RATIO, and what the disk has free."""
    size = archive.stat().st_size
    least, why = min(
        (max_bytes, "the limit of this data set"),
        (size * MAX_RATIO + _FREE_RATIO_BYTES, f"{MAX_RATIO} times its size: a bomb"),
        (max(0, shutil.disk_usage(folder).free - _LEAVE_FREE), "what the disk has free"),
    )
    return Limits(least, max_files, why)


def unpack(archive: Path, folder: Path, limits: Limits, keep: tuple[str, ...] = ()) -> None:
    """Unpack `archive` (.zip or .tar.gz) into the empty `folder`.

    `keep`: only these files and folders (ending in "/"), below the one top folder that archives of repositories have.
    Raises DataError where the archive is damaged or encrypted, names a path outside the folder or twice, holds a link
    or device among the files to keep, or goes over the limits; OSError where this machine is at fault.
    """
    try:
        for name, mode, stream in _members(archive):
            path = _safe(archive, name)
            if keep:
                path = PurePosixPath(*path.parts[1:])
                if not any(str(path) == one or f"{path}/".startswith(one) for one in keep if path.parts):
                    continue
            if stat.S_ISDIR(mode):
                continue
            if not stat.S_ISREG(mode):
                raise DataError(f"{archive.name}: {name!r:.80} is a link or a device, refused")
            limits.add_file(archive)
            with stream() as source:
                _write(archive, source, folder / path, limits)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{archive.name}: damaged or unreadable archive: {error}") from None
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise DataError(f"{archive.name}: names a path twice: {error.filename}") from None
    if not limits.files:
        raise DataError(f"{archive.name}: holds no file" + (f" of {', '.join(keep)}" if keep else ""))


def _write(archive: Path, source: IO[bytes], path: Path, limits: Limits) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        while chunk := source.read(_CHUNK):
            limits.add_bytes(archive, len(chunk))
            file.write(chunk)


def _safe(archive: Path, name: str) -> PurePosixPath:
    """Return a member's path. Raises DataError unless it stays inside the folder it is unpacked into."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise DataError(f"{archive.name}: {name!r:.80} leads outside the folder, refused")
    if any(len(part) > _MAX_NAME for part in path.parts):
        raise DataError(f"{archive.name}: a name of {len(name)} characters, refused")
    return path


class _Stream:
    """Opens a member when asked."""

    def __init__(self, archive: "zipfile.ZipFile | tarfile.TarFile", member: "zipfile.ZipInfo | tarfile.TarInfo"):
        self._archive, self._member = archive, member

    @contextmanager
    def __call__(self) -> Iterator[IO[bytes]]:
        if isinstance(self._archive, zipfile.ZipFile):
            assert isinstance(self._member, zipfile.ZipInfo)
            with self._archive.open(self._member) as stream:
                yield stream
            return
        assert isinstance(self._member, tarfile.TarInfo)
        found = self._archive.extractfile(self._member)
        assert found is not None  # only directories and links have no content
        with found:
            yield found


def _members(archive: Path) -> Iterator[tuple[str, int, _Stream]]:
    """Yield name, type bits (as in stat) and content of each member, in the order of the archive."""
    if archive.name.endswith(".zip"):
        with zipfile.ZipFile(archive) as packed:
            for member in packed.infolist():
                kind = stat.S_IFMT(member.external_attr >> 16)
                plain = stat.S_IFDIR if member.is_dir() else stat.S_IFREG
                yield member.filename, kind or plain, _Stream(packed, member)
        return
    with tarfile.open(archive, "r:gz") as tar:
        for entry in tar:
            kind = stat.S_IFDIR if entry.isdir() else stat.S_IFREG if entry.isreg() else stat.S_IFLNK
            yield entry.name, kind, _Stream(tar, entry)
