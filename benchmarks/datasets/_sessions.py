"""Log sessions: sequences of events, normal and anomalous."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.datasets import _files
from benchmarks.datasets._check import require
from benchmarks.datasets._errors import DataError


@dataclass(frozen=True)
class SessionSet:
    """Sessions in the order of their files. Labels of sessions used for training are not to be looked at."""

    name: str
    blocks: list[str]
    events: list[tuple[str, ...]]
    anomalous: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.blocks)


def session_sets(data: Path) -> list[SessionSet]:
    """Read `data`/sessions: `*.jsonl` (block, label, events), and pairs `*_normal` and `*_abnormal`.

    Raises DataError.
    """
    folder = data / "sessions"
    require(data, "sessions")
    found = [_jsonl(path) for path in sorted(folder.glob("*.jsonl"))]
    names = {path.name.rpartition("_")[0] for kind in ("normal", "abnormal") for path in folder.glob(f"*_{kind}")}
    found += [_pair(folder, name) for name in sorted(names)]
    if not found:
        raise DataError(f"{folder}: holds neither *.jsonl nor *_normal and *_abnormal")
    return found


def session_templates(data: Path) -> dict[str, str]:
    """Read `data`/sessions/templates.json: event -> template text. Raises DataError."""
    require(data, "sessions")
    return dict(_files.read_json(data / "sessions" / "templates.json", dict))


def _jsonl(path: Path) -> SessionSet:
    rows = [_row(path, number, line) for number, line in enumerate(_files.whole(path).read_bytes().splitlines(), 1)]
    blocks = [str(row["block"]) for row in rows]
    if len(set(blocks)) < len(blocks):
        raise DataError(f"{path}: a block occurs twice")
    labels = np.array([row["label"] for row in rows], bool)
    return SessionSet(path.stem, blocks, [tuple(row["events"]) for row in rows], labels)


def _row(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row: dict[str, Any] = json.loads(line)
        sound = row["block"] and row["label"] in (0, 1) and all(isinstance(event, str) for event in row["events"])
    except (ValueError, KeyError, TypeError):
        sound = False
    if not sound or not row["events"]:
        raise DataError(f"{path}: line {number}: want block, label 0 or 1 and events, found {line[:60]!r}")
    return row


def _pair(folder: Path, name: str) -> SessionSet:
    normal, abnormal = (_sequences(folder / f"{name}_{kind}") for kind in ("normal", "abnormal"))
    if normal == abnormal:
        raise DataError(f"{folder / name}_normal: mislabelled: the same sequences as in {name}_abnormal")
    labels = np.repeat([False, True], [len(normal), len(abnormal)])
    return SessionSet(name, [str(i) for i in range(len(labels))], normal + abnormal, labels)


def _sequences(path: Path) -> list[tuple[str, ...]]:
    found = [tuple(line.split()) for line in _files.whole(path).read_text("utf-8").splitlines()]
    for number, events in enumerate(found, 1):
        if not events or not all(event.isdigit() for event in events):
            raise DataError(f"{path}: line {number}: want event numbers, found {' '.join(events)[:60]!r}")
    return found
