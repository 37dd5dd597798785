"""Which files of a folder are telemetry, of which kind, and why the others are left out."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

TRUTH = (
    "case.json", "faults.json", "*labels*", "*_structured*.csv", "*_templates*.csv", "*groundtruth*", "*ground_truth*",
    "removed_windows.json", "combined_windows.json", "templates.json",
)  # fmt: skip
"""Names of files that hold answers; they are never opened."""
_GRAPHS = ("dependency.csv", "graph.csv", "*.graph.csv")
_COMPRESSED = re.compile(r"\.(?:gz|bz2|xz|zst)$", re.IGNORECASE)
_ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar", ".lz4")
_ROTATION = re.compile(r"(?:[._-]\d{4}-?\d{2}-?\d{2}(?:[T_-]?\d{2,6})?|\.\d{1,4})$")
_SUFFIX = re.compile(r"\.(?:log|txt|out|err|json|jsonl|ndjson|csv|parquet)$", re.IGNORECASE)
_GENERIC = frozenset(
    {"all", "app", "application", "console", "data", "error", "errors", "event", "events", "log", "logs", "message"}
    | {"messages", "metric", "metrics", "output", "server", "span", "spans", "stderr", "stdin", "stdout"}
    | {"telemetry"}
    | {"test", "trace", "traces"}
)


def walk(paths: Iterable[Path]) -> Iterator[tuple[Path, str | None]]:
    """Yield every file under the paths, in order of name, with the reason it is left out, or None."""
    for path in paths:
        if path.is_dir():
            yield from _walk_folder(path)
        else:
            yield path, why_not(path)


def _walk_folder(folder: Path) -> Iterator[tuple[Path, str | None]]:
    failed: list[OSError] = []
    for base, folders, files in os.walk(folder, onerror=failed.append):
        reasons = {name: _why_not_folder(Path(base, name)) for name in sorted(folders)}
        yield from ((Path(base, name), reason) for name, reason in reasons.items() if reason)
        folders[:] = [name for name, reason in reasons.items() if not reason]
        for name in sorted(files):
            yield Path(base, name), why_not(Path(base, name))
        for error in failed:
            yield Path(error.filename), f"cannot be opened: {error.strerror}"
        failed.clear()
    for error in failed:
        yield Path(error.filename), f"cannot be opened: {error.strerror}"


def _why_not_folder(path: Path) -> str | None:
    if path.name == "truth":
        return "holds the truth, never read"
    if path.is_symlink():
        return "a link to a folder: name it as a path of its own to read it"
    return "hidden" if path.name.startswith(".") else None


def why_not(path: Path) -> str | None:
    """Return why a file is left out by its name or kind, or None."""
    name = unpacked_name(path).lower()
    if any(fnmatch(name, pattern) for pattern in TRUTH) or "truth" in path.parts:
        return "holds the truth, never read"
    if any(fnmatch(name, pattern) for pattern in _GRAPHS):
        return "call graph, not telemetry"
    if name.startswith("."):
        return "hidden"
    if name.endswith(_ARCHIVES):
        return "an archive: unpack it first"
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return f"cannot be opened: {error.strerror}"
    return None if stat.S_ISREG(mode) else "not a regular file"


def unpacked_name(path: Path) -> str:
    """Return a file's name without what says that it is compressed."""
    return _COMPRESSED.sub("", path.name)


def looks_binary(head: bytes) -> bool:
    """Whether more than one byte in twenty is a control character that no text has."""
    odd = sum(byte < 9 or 13 < byte < 27 or 27 < byte < 32 for byte in head if byte)
    return odd * 20 > len(head)


def printable(path: Path) -> str:
    """Return a path as text that can be stored: bytes of it that are not UTF-8 become \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def service_of_file(path: Path) -> str | None:
    """Return the service a log file is named after: its stem without rotation suffixes; None for a generic name."""
    name = unpacked_name(path)
    while (shorter := _SUFFIX.sub("", _ROTATION.sub("", name))) != name and shorter:
        name = shorter
    return None if name.lower() in _GENERIC or not name else name
