"""Labelled logs for parsing: the 2k sets of Loghub and Loghub-2.0, and their full archives."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.datasets import _files
from benchmarks.datasets._check import require
from benchmarks.datasets._errors import DataError

CORRECTED = "corrected"
LOGHUB2 = "loghub2"
ORIGINAL = "original"
TRUTHS = {
    CORRECTED: "Khan et al., Guidelines for Assessing the Accuracy of Log Message Template Identification, ICSE 2022",
    LOGHUB2: "Jiang et al., Loghub-2.0, ISSTA 2024",
    ORIGINAL: "Loghub as first published",
}
_FOLDERS = {CORRECTED: "parsing", LOGHUB2: "parsing_loghub2"}
_TRUTH_COLUMNS = ("LineId", "Content", "EventId", "EventTemplate", "ParameterList", "Label")
"""Columns that are no header fields; `Label` is BGL's alert category."""
_SAMPLED = 2_000
_LEAST_FOUND = 0.5
"""Loghub-2.0 rewrote up to a third of a system's messages; a log of another system agrees on next to none."""


@dataclass(frozen=True)
class ParsingSet:
    """A log of one system with the template of every line. All columns have one entry a line, in order."""

    system: str
    truth: str  # which version of the truth, a key of TRUTHS
    lines: pa.ChunkedArray  # raw lines, header included
    messages: pa.ChunkedArray  # Content: the message without its header
    templates: pa.ChunkedArray  # EventTemplate: the true template text
    header: pa.Table  # the true header fields, as text; their names differ from system to system

    def __len__(self) -> int:
        return len(self.messages)


def parsing_sets(data: Path, truth: str) -> list[ParsingSet]:
    """Read all systems below `data`/parsing (truth "corrected") or `data`/parsing_loghub2 (truth "loghub2").

    The latter's raw lines lie in `data`/parsing. Raises DataError where a file is missing or does not fit the others.
    """
    for name in _FOLDERS.values():
        require(data, name)
    systems = [path.name for path in _files.folders(data / _FOLDERS[truth], "systems")]
    if truth == CORRECTED and (data / _FOLDERS[LOGHUB2]).is_dir():
        rewritten = {path.name for path in _files.folders(data / _FOLDERS[LOGHUB2], "systems")}
        if lacking := sorted(rewritten - set(systems)):
            raise DataError(f"{data / 'parsing' / lacking[0]}: missing, {_FOLDERS[LOGHUB2]} has this system")
    found = []
    for system in systems:
        folder = data / _FOLDERS[truth] / system
        log = folder / f"{system}_2k.log"
        if truth == LOGHUB2 and not log.exists():
            log = data / _FOLDERS[CORRECTED] / system / log.name
        found.append(read_parsing_set(folder, log=log, truth=truth))
    return found


def read_parsing_set(folder: Path, *, log: Path | None = None, truth: str | None = None) -> ParsingSet:
    """Read one system: a raw log, `*.log_structured*.csv` and `*.log_templates*.csv` side by side.

    This is also the layout of the full archives. `log`: where the raw log is, if not there. `truth`: which version of
    the truth is wanted; default: as the files' names and columns say. Raises DataError.
    """
    structured = _one(folder, "structured", truth)
    log = log or folder / (structured.name.partition(".log")[0] + ".log")
    columns = ["LineId", "Content", "EventId", "EventTemplate"]
    rows = _files.read_csv(structured, *columns)
    version = _version(structured, rows.column_names)
    if truth not in (None, version):
        raise DataError(f"{structured}: holds the truth version {version!r}, want {truth!r}")
    lines = _files.read_lines(log)
    _files.require_lines(log, len(lines))
    if len(lines) != len(rows):
        raise DataError(f"{structured}: {len(rows)} rows for the {len(lines)} lines of {log}: one of them is truncated")
    _check_order(structured, rows)
    _check_templates(structured, _one(folder, "templates", truth), rows)
    _check_messages(structured, log, lines, rows["Content"])
    header = rows.select([name for name in rows.column_names if name not in _TRUTH_COLUMNS])
    return ParsingSet(folder.name, version, lines, rows["Content"], rows["EventTemplate"], header)


def _one(folder: Path, kind: str, truth: str | None) -> Path:
    """Return the file of this kind; where several versions lie side by side, the one wanted."""
    suffix = "_corrected" if truth == CORRECTED else ""
    found = sorted(folder.glob(f"*.log_{kind}{suffix}.csv")) or (
        sorted(folder.glob(f"*.log_{kind}*.csv")) if truth is None else []
    )
    if len(found) != 1:
        count = f"{len(found)} files" if found else "missing"
        raise DataError(f"{folder / f'*.log_{kind}{suffix}.csv'}: {count}, want one")
    return found[0]


def _version(structured: Path, columns: list[str]) -> str:
    if structured.stem.endswith("_corrected"):
        return CORRECTED
    return LOGHUB2 if "ParameterList" in columns or "_full." in structured.name else ORIGINAL


def _check_order(structured: Path, rows: pa.Table) -> None:
    expected = pc.cast(pa.array(np.arange(1, len(rows) + 1)), pa.string())
    wrong = pc.not_equal(rows["LineId"], pa.chunked_array([expected]))
    if pc.any(wrong).as_py():
        first = wrong.to_pylist().index(True)
        raise DataError(f"{structured}: row {first + 1} has LineId {rows['LineId'][first]}, want {first + 1}")
    for name in ("EventId", "EventTemplate"):
        blank = pc.equal(rows[name], "")
        if pc.any(blank).as_py():
            raise DataError(f"{structured}: row {blank.to_pylist().index(True) + 1} has no {name}")


def _check_templates(structured: Path, path: Path, rows: pa.Table) -> None:
    """The list names the events of the rows, one entry an event or, as for corrected Linux, one a distinct text.

    Most of its texts are those of the rows; a few of the corrected lists are not.
    """
    listed = _files.read_csv(path, "EventId", "EventTemplate")
    used = pc.value_counts(rows["EventId"])
    counts = dict(zip(used.field("values").to_pylist(), used.field("counts").to_pylist(), strict=True))
    names = set(listed["EventId"].to_pylist())
    if unknown := sorted(names - set(counts)):
        raise DataError(f"{path}: lists events that {structured.name} has not: {', '.join(unknown[:5])}")
    texts = pc.count_distinct(rows["EventTemplate"]).as_py()
    if len(names) not in (len(counts), texts):
        lacking = ", ".join(sorted(set(counts) - names)[:5])
        raise DataError(f"{path}: lists {len(names)} of the {len(counts)} events of {structured.name}, not {lacking}")
    written = set(rows["EventTemplate"].to_pylist())
    known = sum(text in written for text in listed["EventTemplate"].to_pylist())
    if known < _LEAST_FOUND * len(listed):
        raise DataError(f"{path}: mislabelled: {known} of its {len(listed)} templates are in {structured.name}")
    if "Occurrences" in listed.column_names:
        for event, stated in zip(listed["EventId"].to_pylist(), listed["Occurrences"].to_pylist(), strict=True):
            if stated != str(counts[event]):
                raise DataError(f"{path}: {event} occurs {stated} times, in {structured.name} {counts[event]} times")


def _check_messages(structured: Path, log: Path, lines: pa.ChunkedArray, messages: pa.ChunkedArray) -> None:
    """A sample of the messages must lie in their lines."""
    step = max(1, len(lines) // _SAMPLED)
    pick = pa.array(np.arange(0, len(lines), step))
    pairs = zip(lines.take(pick).to_pylist(), messages.take(pick).to_pylist(), strict=True)
    found = sum(message.strip() in line for line, message in pairs)
    if found < _LEAST_FOUND * len(pick):
        raise DataError(
            f"{structured}: mislabelled: {found} of {len(pick)} messages lie in the lines of {log}, want most of them"
        )
