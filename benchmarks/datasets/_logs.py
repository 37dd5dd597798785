"""Longer raw logs, one of them with a label a block."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.datasets import _files
from benchmarks.datasets._check import require
from benchmarks.datasets._errors import DataError

_WORD = re.compile(r"[\w-]+")


@dataclass(frozen=True)
class BlockLabels:
    """Labels of the blocks of a log. `complete`: the block does not go on after the file's end; score only these."""

    blocks: list[str]
    anomalous: npt.NDArray[np.bool_]
    complete: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RawLog:
    """A raw log, one string a line, and what labels there are."""

    name: str
    lines: pa.ChunkedArray
    labels: BlockLabels | None


def raw_logs(data: Path) -> list[RawLog]:
    """Read `data`/logs/*.log with their `*.labels.csv`. Raises DataError."""
    folder = data / "logs"
    require(data, "logs")
    paths = sorted(folder.glob("*.log"))
    if not paths:
        raise DataError(f"{folder}: no *.log in it")
    for labels in folder.glob("*.labels.csv"):
        _files.there(folder / (labels.name.removesuffix(".labels.csv") + ".log"))
    return [_read(path) for path in paths]


def _read(path: Path) -> RawLog:
    lines = _files.read_lines(path)
    _files.require_lines(path, len(lines))
    labels = path.with_name(path.stem + ".labels.csv")
    return RawLog(path.stem, lines, _labels(labels, lines) if labels.exists() else None)


def _labels(path: Path, lines: pa.ChunkedArray) -> BlockLabels:
    rows = _files.read_csv(_files.whole(path), "block", "label")
    complete = [name for name in rows.column_names if name.startswith("complete")]
    blocks = rows["block"].to_pylist()
    if len(set(blocks)) < len(blocks):
        raise DataError(f"{path}: a block occurs twice")
    words = {word for line in lines.to_pylist() for word in _WORD.findall(line)}
    if unknown := [block for block in blocks if block not in words]:
        raise DataError(f"{path}: mislabelled: {len(unknown)} blocks are not in the log, such as {unknown[0]!r}")
    whole = _flags(path, rows, complete[0]) if complete else np.ones(len(blocks), bool)
    return BlockLabels(blocks, _flags(path, rows, "label"), whole)


def _flags(path: Path, rows: pa.Table, name: str) -> npt.NDArray[np.bool_]:
    values = rows[name].to_pylist()
    if wrong := sorted(set(values) - {"0", "1"}):
        raise DataError(f"{path}: {name} is {wrong[0]!r}, want 0 or 1")
    return np.array([value == "1" for value in values])
