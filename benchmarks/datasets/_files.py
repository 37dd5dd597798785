"""Reading files of a data set so that a missing, empty or truncated one is a clear error."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pa_csv

from benchmarks.datasets._errors import DataError

_BLOCK = 64 * 1024**2


def folders(path: Path, what: str) -> list[Path]:
    """Return the folders below `path`, sorted. Raises DataError where there is none."""
    if not path.is_dir():
        raise DataError(f"{path}: missing, want a folder of {what}")
    found = sorted(one for one in path.iterdir() if one.is_dir() and not one.name.startswith("."))
    if not found:
        raise DataError(f"{path}: empty, want a folder for each of the {what}")
    return found


def there(path: Path) -> Path:
    """Return `path`. Raises DataError unless it is a file that is not empty."""
    if not path.is_file():
        raise DataError(f"{path}: missing")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: empty")
    return path


def whole(path: Path) -> Path:
    """Return `path`. Raises DataError unless it is a text file that ends with its line."""
    with there(path).open("rb") as file:
        file.seek(-1, 2)
        if file.read(1) != b"\n":
            raise DataError(f"{path}: truncated, it ends in the middle of a line")
    return path


def read_json(path: Path, kind: type[Any]) -> Any:
    """Return the JSON in a file; `kind`: list or dict. Raises DataError."""
    try:
        value = json.loads(there(path).read_bytes())
    except ValueError as error:
        raise DataError(f"{path}: damaged or truncated JSON: {error}") from None
    if not isinstance(value, kind) or not value:
        raise DataError(f"{path}: want a {kind.__name__} that is not empty, found {str(value)[:40]!r}")
    return value


def read_csv(path: Path, *needed: str) -> pa.Table:
    """Return a CSV file with all columns as text. Raises DataError, also where a column of `needed` is not there."""
    names = header(path)
    if missing := [name for name in needed if name not in names]:
        raise DataError(f"{path}: no column {', '.join(missing)}; it has {', '.join(names)[:120]}")
    try:
        table = pa_csv.read_csv(
            path,
            read_options=pa_csv.ReadOptions(use_threads=False, column_names=names, skip_rows=1),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: damaged or truncated: {str(error).splitlines()[0]}") from None
    if not len(table):
        raise DataError(f"{path}: no rows below the header")
    return table


def header(path: Path) -> list[str]:
    """Return the column names of a CSV file; the second of a name is `name#2`, and so on. Raises DataError."""
    with there(path).open("rb") as file:
        first = file.readline(1 << 22)
    given = pa_csv.read_csv(pa.BufferReader(first.rstrip(b"\r\n") + b"\n")).column_names
    seen: Counter[str] = Counter()
    names = []
    for name in given:
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return names


def read_lines(path: Path) -> pa.ChunkedArray:
    """Return the lines of a log file, without line ends. Bytes that are not UTF-8 appear as \\xNN. Raises DataError.

    A last line without line end counts, as in `cat -n`.
    """
    chunks, rest = [], b""
    with there(path).open("rb") as file:
        while block := file.read(_BLOCK):
            cut = block.rfind(b"\n") + 1
            chunks.append(_split(rest + block[:cut])) if cut else None
            rest = block[cut:] if cut else rest + block
    if rest:
        chunks.append(_split(rest + b"\n"))
    return pa.chunked_array(chunks, pa.string())


def _split(data: bytes) -> pa.Array:
    try:
        data.decode()
    except UnicodeDecodeError:
        data = data.decode("utf-8", "backslashreplace").encode()
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    lines = pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(data))
    return pc.utf8_rtrim(lines, characters="\r\n")


def declared_lines(path: Path) -> int | None:
    """Return how many lines a file's name promises: `X_2k.log` 2,000, `X_20000.log` 20,000; None: nothing."""
    match = re.search(r"_(\d+)(k?)$", path.name.partition(".")[0])
    if not match or (not match[2] and len(match[1]) < 4):
        return None
    return int(match[1]) * (1000 if match[2] else 1)


def require_lines(path: Path, count: int) -> None:
    """Raise DataError where the file's name promises another number of lines."""
    if (promised := declared_lines(path)) not in (None, count):
        raise DataError(f"{path}: {count} lines, its name promises {promised}: truncated or altered")
