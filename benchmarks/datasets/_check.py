"""Checksums: the pins of what was downloaded, and SHA256SUMS files of what was unpacked."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.datasets._errors import DataError

SUMS = "SHA256SUMS"
PINS = "pins.json"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_ALGORITHMS = ("md5", "sha256", "sha512")
_EMPTY = hashlib.sha256().hexdigest()


def digest(path: Path, algorithm: str = "sha256") -> str:
    """Return the checksum of a file in hex. Raises DataError on an unknown algorithm."""
    if algorithm not in _ALGORITHMS:
        raise DataError(f"{path.name}: checksum of kind {algorithm!r}, want one of {', '.join(_ALGORITHMS)}")
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


@dataclass(frozen=True)
class Pin:
    """What the first download of a file was."""

    sha256: str
    bytes: int
    url: str


def read_pins(folder: Path) -> dict[str, Pin]:
    """Return the pins of a data folder: "<data set>/<file>" -> Pin. Raises DataError."""
    path = folder / PINS
    if not path.exists():
        return {}
    try:
        return {name: Pin(**pin) for name, pin in json.loads(path.read_bytes()).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a pins file: {error}") from None


def refuse_changed(folder: Path, name: str, seen: Pin) -> None:
    """Raise DataError where a file is not the one that was pinned."""
    known = read_pins(folder).get(name)
    if known is not None and known.sha256 != seen.sha256:
        raise DataError(
            f"{name} has changed since its first download: sha256 {seen.sha256} ({seen.bytes} bytes), pinned is "
            f"{known.sha256} ({known.bytes} bytes); refused. If the change is meant, take its entry out of "
            f"{folder / PINS}"
        )


def pin(folder: Path, name: str, seen: Pin) -> None:
    """Pin a file on its first download."""
    pins = read_pins(folder) | {name: seen}
    ordered = {key: asdict(value) for key, value in sorted(pins.items())}
    write_text(folder / PINS, json.dumps(ordered, indent=1) + "\n")


def write_sums(folder: Path) -> int:
    """Write SHA256SUMS of all files below `folder`; return how many there are."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    lines = [f"{digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    write_text(folder / SUMS, "".join(lines))
    return len(files)


def read_sums(path: Path) -> dict[str, str]:
    """Return what a SHA256SUMS file lists: path -> sha256. Raises DataError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line)
        if not match or Path(match[2]).is_absolute() or ".." in Path(match[2]).parts:
            raise DataError(f"{path}: line {number}: want a sha256, two blanks and a path, found {line[:60]!r}")
        found[match[2]] = match[1]
    if not found:
        raise DataError(f"{path}: lists no file")
    return found


def problems(folder: Path, below: str = "", shown: Callable[[int, int], None] = lambda done, all_: None) -> list[str]:
    """Return what is wrong with the files `folder`/SHA256SUMS lists, one line each; `below`: only in this folder."""
    listed = {path: sha for path, sha in read_sums(folder / SUMS).items() if path.startswith(below)}
    found = []
    for done, (name, sha) in enumerate(listed.items()):
        shown(done, len(listed))
        if problem := _problem(folder / name, sha):
            found.append(f"{folder / name}: {problem}")
    return found


def _problem(path: Path, sha: str) -> str | None:
    try:
        size = path.stat().st_size
        if size == 0 and sha != _EMPTY:
            return "empty"
        seen = digest(path)
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if seen == sha:
        return None
    return f"altered or truncated: {size} bytes with sha256 {seen[:12]}..., want {sha[:12]}..."


def require(folder: Path, below: str) -> None:
    """Raise DataError unless all files below `folder`/`below` that a SHA256SUMS file lists are as listed.

    Does nothing where `folder` has no such file: then only the readers' own checks hold.
    """
    if (folder / SUMS).exists() and (found := problems(folder, below.rstrip("/") + "/")):
        more = f" (and {len(found) - 1} more; `faultline datasets verify {folder}` lists them)" if found[1:] else ""
        raise DataError(found[0] + more)


@dataclass(frozen=True)
class Verified:
    """What `verify` found: files checked, and a line for each that is not as listed."""

    files: int
    problems: tuple[str, ...]


def verify(folder: Path, shown: Callable[[int, int], None] = lambda done, all_: None) -> Verified:
    """Check every file that the SHA256SUMS files at and below `folder` list, and that every pinned archive is there.

    Raises DataError where there is nothing to check by.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    sums = list(_sums_files(folder))
    pinned = read_pins(folder)
    if not sums and not pinned:
        raise DataError(f"{folder}: holds neither {SUMS} nor {PINS}: nothing to check by")
    found = [
        f"{folder / home}: missing, {name} was downloaded here once"
        for name in pinned
        if not (folder / (home := name.removesuffix(".zip").removesuffix(".tar.gz")) / SUMS).exists()
    ]
    for path in sums:
        found += problems(path.parent, shown=shown)
    return Verified(sum(len(read_sums(path)) for path in sums), tuple(found))


def _sums_files(folder: Path) -> Iterator[Path]:
    if (folder / SUMS).exists():
        yield folder / SUMS
        return
    hidden = re.compile(r"(^|/)\.")  # an unpacking that was killed
    yield from sorted(path for path in folder.rglob(SUMS) if not hidden.search(path.relative_to(folder).as_posix()))
