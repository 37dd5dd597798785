"""Metric tables in CSV: a time column and one column a series, one or several header rows.

A column is `<service>|<metric>|...`, split at its first `|`, or `<service>_<metric>`, split at its first `_`; one
without either belongs to the service the caller names. Several header rows (PetShop's normal tables: service, metric,
statistic) are joined with `|`. Columns whose first value is no number are left out.
"""

import csv
import io
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest import _fields, _times

Floats = npt.NDArray[np.float64]
MAX_HEADER_ROWS = 8
_TIME_NAMES = ("time", "timestamp", "unixtimestamp", "datetime", "date", "ts", "tsns", "tsms", "epoch")
_NULLS = ("", "nan", "na", "n/a", "null", "none", "-")
_HEAD_ROWS = 200


@dataclass(frozen=True)
class Series:
    """One numeric column: where it is in a row, and what it measures."""

    column: int
    name: str
    service: str
    metric: str


@dataclass(frozen=True)
class Header:
    """What the head of a metric table says: header rows, the time column, the series and the columns left out."""

    rows: int
    width: int
    delimiter: str
    time: int
    series: tuple[Series, ...]
    ignored: tuple[tuple[str, str], ...] = field(default=())


class NotATable(ValueError):
    """The text is no metric table; the message says what is missing."""


def read_header(head: str, service: str | None) -> Header:
    """Work out the header from the beginning of a file (whole lines). Raises NotATable.

    `service` is for columns that name none; with None these are ignored.
    """
    delimiter = max(",;\t", key=head.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(head), delimiter=delimiter)
    rows: list[list[str]] = []
    with suppress(csv.Error):  # a lone carriage return, a cell of 128 KiB: what came before it has to do
        rows.extend([cell.strip() for cell in row] for row in islice(reader, _HEAD_ROWS) if row)
    if not rows:
        raise NotATable("no header row")
    rows[0][0] = rows[0][0].removeprefix("\ufeff")
    depth = _header_depth(rows)
    time = _time_column(rows[0], depth)
    names = [
        "|".join(filter(None, cells))
        for cells in zip(*(_padded(row, len(rows[0])) for row in rows[:depth]), strict=True)
    ]
    series, ignored = _series(names, time, rows[depth:], service)
    if not series:
        raise NotATable(f"no numeric column beside {names[time]!r}; found {', '.join(names)[:100]}")
    return Header(depth, len(rows[0]), delimiter, time, tuple(series), tuple(ignored))


def _padded(row: list[str], width: int) -> list[str]:
    return (row + [""] * width)[:width]


def _header_depth(rows: list[list[str]]) -> int:
    """Several header rows only where the first cell of the second is a word and a time follows."""
    firsts = pa.array([row[0] for row in rows[: MAX_HEADER_ROWS + 1]], pa.string())
    _, timed = _times.from_text(firsts, relative=True)
    data = np.flatnonzero(timed[1:])
    if not len(data) or _fields.plain(rows[0][0]) in _TIME_NAMES:
        return 1
    return int(data[0]) + 1


def _time_column(names: list[str], depth: int) -> int:
    if depth > 1:
        return 0
    for wanted in _TIME_NAMES:
        for i, name in enumerate(names):
            if _fields.plain(name) == wanted:
                return i
    raise NotATable(f"no time column: want `time` or `timestamp`, found {', '.join(names)[:100]}")


def _series(
    names: list[str], time: int, rows: list[list[str]], service: str | None
) -> tuple[list[Series], list[tuple[str, str]]]:
    found, ignored, seen = [], [], set()
    for i, name in enumerate(names):
        if i == time:
            continue
        owner, metric = split_name(name, service)
        if not name:
            ignored.append((f"column {i + 1}", "has no name"))
        elif name in seen:
            ignored.append((name, "second column of this name"))
        elif owner is None:
            ignored.append((name, "names no service: want <service>_<metric> or <service>|<metric>"))
        elif not _numeric(row[i] for row in rows if len(row) > i):
            ignored.append((name, "not numeric"))
        else:
            found.append(Series(i, name, owner, metric))
        seen.add(name)
    return found, ignored


def split_name(name: str, service: str | None) -> tuple[str | None, str]:
    """Return service and metric of a column name; `service` where it names none."""
    owner, bar, metric = name.partition("|")
    if not bar:
        owner, bar, metric = name.partition("_")
    return (owner, metric) if owner and metric else (service, name)


def _numeric(cells: Iterable[str]) -> bool:
    """Whether the first cell that is not empty is a number; a column of nothing counts as numeric."""
    for cell in cells:
        if cell.lower() not in _NULLS:
            with suppress(ValueError):
                float(cell)
                return True
            return False
    return True


@dataclass(frozen=True)
class Rows:
    """Data rows: their times as written and in us, and one value a series; `NaN` is an empty cell."""

    number: npt.NDArray[np.int64]  # of each row within what was parsed, 0-based
    time: pa.Array
    us: _times.Times
    timed: _times.Mask
    values: Floats  # rows x series
    bad: tuple[tuple[int, int, str], ...]  # (row, series, text) of cells that are no numbers
    broken: tuple[tuple[int, str], ...]  # (number, text) of lines with another count of cells than the header
    lines: int


def parse_rows(data: bytes, header: Header) -> Rows:
    """Parse whole data lines (no header). Cells that are no numbers become NaN and are listed."""
    from pyarrow import csv as pa_csv

    data, torn = _without_torn(_as_utf8(data), header)
    broken: list[tuple[int, str]] = []

    def skip(row: "pa_csv.InvalidRow") -> str:
        number = row.number - 1
        broken.append((number, torn.get(number, row.text)))
        return "skip"

    lines = data.count(b"\n") + 1
    names = [str(i) for i in range(header.width)]
    table = pa_csv.read_csv(
        pa.BufferReader(data + b"\n"),  # so that a blank line is a row wherever the data happen to end
        pa_csv.ReadOptions(use_threads=False, block_size=max(len(data) + 2, 1024), column_names=names),
        pa_csv.ParseOptions(delimiter=header.delimiter, ignore_empty_lines=False, invalid_row_handler=skip),
        pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
    )
    number = np.setdiff1d(np.arange(lines), [n for n, _ in broken])[: len(table)]
    columns = [column.combine_chunks() for column in table.columns]
    time = pc.utf8_trim_whitespace(columns[header.time])
    us, timed = _times.from_text(time, relative=True)
    values = np.empty((len(table), len(header.series)))
    bad: list[tuple[int, int, str]] = []
    for k, series in enumerate(header.series):
        values[:, k], wrong = _cells(columns[series.column])
        bad.extend((row, k, text) for row, text in wrong)
    return Rows(number, time, us, timed, values, tuple(sorted(bad)), tuple(broken), lines)


def _as_utf8(data: bytes) -> bytes:
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8", "backslashreplace").encode()
    return data


def _without_torn(data: bytes, header: Header) -> tuple[bytes, dict[int, str]]:
    """Put a row of too many cells in the place of lines that would not stay one row, and return those by number.

    They have a quote that does not close, which would swallow the lines behind, or a carriage return inside.
    """
    if b'"' not in data and b"\r" not in data:
        return data, {}
    lines = data.split(b"\n")
    wrong = [i for i, line in enumerate(lines) if line.count(b'"') % 2 or b"\r" in line[:-1]]
    torn = {i: lines[i].decode() for i in wrong}
    for i in wrong:
        lines[i] = header.delimiter.encode() * header.width
    return b"\n".join(lines), torn


def _cells(column: pa.Array) -> tuple[Floats, list[tuple[int, str]]]:
    """Return a column as floats and what in it is no number."""
    with suppress(pa.ArrowInvalid):
        return pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False), []
    trimmed = pc.utf8_trim_whitespace(column)
    empty = pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(_NULLS))
    with suppress(pa.ArrowInvalid):
        filled = pc.if_else(empty, "nan", trimmed)
        return pc.cast(filled, pa.float64()).to_numpy(zero_copy_only=False), []
    values, wrong = np.full(len(column), np.nan), []
    for i, (text, nothing) in enumerate(zip(trimmed.to_pylist(), empty.to_pylist(), strict=True)):
        if nothing:
            continue
        try:
            values[i] = float(text)
        except ValueError:
            wrong.append((i, text))
    return values, wrong
