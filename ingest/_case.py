"""Recorded metric tables, call graphs and root-cause cases, read whole for the offline commands."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

import telemetry
from ingest import _csv, _times
from ingest._discover import service_of_file, why_not
from ingest._files import FilesSource
from ingest._tables import build
from telemetry import SourceError

MAX_BYTES = 2 * 1024**3
"""A table read whole may be this large."""


@dataclass(frozen=True)
class Matrix:
    """A metric table: rows in the order of the file, one column a series."""

    times: list[str]  # as written
    time_us: npt.NDArray[np.int64]  # microseconds since the epoch, UTC
    series: list[str]  # column names
    services: list[str]
    metrics: list[str]
    values: npt.NDArray[np.float64]  # rows x series; NaN: empty cell
    relative: bool  # times are small numbers, taken as seconds since 1970-01-01
    ignored: list[tuple[str, str]]  # columns left out: (name, reason)


def read_matrix(path: str | Path, *, service: str | None = None) -> Matrix:
    """Read a metric table whole, for `detect`: any column of numbers is a series.

    `service` is that of columns that name none (default: the file's name). Raises SourceError: no such file, no
    table, a time or number that cannot be read; the row is named.
    """
    return _read(Path(path), service or service_of_file(Path(path)) or "unknown")


def read_metrics_csv(path: str | Path, *, service: str | None = None) -> pa.Table:
    """Read a metric table as METRICS rows in order of time (then row, column), one a cell that is not empty.

    Columns that name no service are left out unless `service` says whose they are. Raises SourceError.
    """
    return _to_metrics(_read(Path(path), service), Path(path))


def read_normal(path: str | Path) -> pa.Table:
    """Read metrics of normal operation (one or several header rows) as METRICS rows. Raises SourceError."""
    return read_metrics_csv(path)


def _read(path: Path, service: str | None) -> Matrix:
    data = _bytes(path)
    try:
        header = _csv.read_header(data[: 1 << 22].decode("utf-8", "replace"), service)
    except _csv.NotATable as error:
        raise SourceError(f"{path}: not a metric table: {error}") from None
    body = data.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n", header.rows)
    if len(body) <= header.rows:
        raise SourceError(f"{path}: no rows below the header, want at least one")
    rows = _csv.parse_rows(body[-1], header)
    _refuse_bad(path, header, rows)
    return Matrix(
        rows.time.to_pylist(),
        rows.us,
        [s.name for s in header.series],
        [s.service for s in header.series],
        [s.metric for s in header.series],
        rows.values,
        bool(len(rows.us) and rows.us.max() < _times.RELATIVE_BELOW * 1e6),
        list(header.ignored),
    )


def _bytes(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise SourceError(f"{path}: want a regular file")
        if path.stat().st_size > MAX_BYTES:
            raise SourceError(f"{path}: {path.stat().st_size} bytes, want at most {MAX_BYTES}")
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    if not data.strip():
        raise SourceError(f"{path}: empty, want a header row and data")
    return data


def _refuse_bad(path: Path, header: _csv.Header, rows: _csv.Rows) -> None:
    def line(row: int) -> int:
        return int(rows.number[row]) + header.rows + 1

    for number, text in rows.broken:
        raise SourceError(f"{path}: line {number + header.rows + 1} has not {header.width} cells: {text[:60]!r}")
    if not rows.timed.all():
        row = int(np.argmin(rows.timed))
        raise SourceError(
            f"{path}: line {line(row)}: time {rows.time[row].as_py()!r:.60} cannot be read, "
            "want ISO 8601 or seconds, ms, us or ns since the epoch"
        )
    for row, k, text in rows.bad:
        raise SourceError(f"{path}: line {line(row)}: {header.series[k].name} is {text[:60]!r}, want a number")


def _to_metrics(matrix: Matrix, path: Path) -> pa.Table:
    order = np.argsort(matrix.time_us, kind="stable")
    row, k = np.nonzero(np.isfinite(matrix.values[order]))
    at, pick = order[row], pa.array(k)
    columns = {
        "time": matrix.time_us[at],
        "service": pa.array(matrix.services, pa.string()).take(pick),
        "metric": pa.array(matrix.metrics, pa.string()).take(pick),
        "value": matrix.values[at, k],
        "source": str(path),
        "partition": 0,
        "offset": at,
        "late": False,
    }
    return build(telemetry.METRICS, len(at), columns)


def read_graph(path: str | Path) -> dict[tuple[str, str], float]:
    """Read a call graph: (caller, callee) -> weight.

    Either a square matrix whose header and first column name the services and whose row calls its column where the
    cell is not 0, or a list: caller, callee, and a weight if the third column is a number. Raises SourceError.
    """
    path = Path(path)
    text = _bytes(path).decode("utf-8-sig", "replace")
    try:
        cut = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines())]
    except csv.Error as error:
        raise SourceError(f"{path}: not a call graph: {error}") from None
    rows = [row for row in cut if any(row)]
    if not rows or len(rows[0]) < 2:
        raise SourceError(f"{path}: not a call graph: want caller and callee columns or a square matrix")
    head, body = rows[0], rows[1:]
    if len(head) > 2 and {row[0] for row in body} == set(head[1:]):
        cells = ((row[0], callee, cell) for row in body for callee, cell in zip(head[1:], row[1:], strict=False))
    else:
        cells = ((row[0], row[1], row[2] if len(row) > 2 else "1") for row in body if len(row) > 1)
    weighted = ((caller, callee, _weight(cell)) for caller, callee, cell in cells)
    return {(caller, callee): weight for caller, callee, weight in weighted if caller and callee and weight}


def _weight(cell: str) -> float:
    try:
        return float(cell or 0)
    except ValueError:
        return 1.0


@dataclass(frozen=True)
class Case:
    """One recorded incident: what `faultline rca` ranks."""

    name: str
    metrics: pa.Table  # METRICS, in order of time
    lines: pa.Table = field(default_factory=telemetry.LINES.empty_table)
    spans: pa.Table = field(default_factory=telemetry.SPANS.empty_table)
    calls: dict[tuple[str, str], float] = field(default_factory=dict)  # (caller, callee) -> weight
    skipped: list[tuple[str, str]] = field(default_factory=list)  # files, columns and rows left out, and why


def read_case(folder: str | Path) -> Case:
    """Read a case: metrics.csv or data.csv; where present logs.parquet, traces.parquet, dependency.csv, graph.csv.

    A CSV file alone is a case of metrics. Files that hold the answer are never opened. Raises SourceError.
    """
    folder = Path(folder)
    if folder.is_file():
        if why_not(folder):
            raise SourceError(f"{folder}: {why_not(folder)}")
        table, folder = folder, folder.parent
        others: list[Path] = []
    else:
        table, others = _metrics_file(folder), [folder / name for name in ("logs.parquet", "traces.parquet")]
    matrix = _read(table, None)
    rest = _recorded(path for path in others if path.exists())
    calls: dict[tuple[str, str], float] = {}
    if others:
        for path in (folder / "dependency.csv", folder / "graph.csv"):
            calls |= read_graph(path) if path.exists() else {}
    skipped = [(f"column {name}", why) for name, why in matrix.ignored] + rest[2]
    return Case(folder.name, _to_metrics(matrix, table), rest[0], rest[1], calls, skipped)


def _metrics_file(folder: Path) -> Path:
    if not folder.is_dir():
        raise SourceError(f"no such case: {folder}")
    for name in ("metrics.csv", "data.csv"):
        if (folder / name).is_file():
            return folder / name
    there = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
    raise SourceError(f"{folder}: no metrics.csv or data.csv in this case; it holds {there}")


def _recorded(paths: Iterable[Path]) -> tuple[pa.Table, pa.Table, list[tuple[str, str]]]:
    """Return the log lines and spans of Parquet files, and what was left out."""
    source = FilesSource(paths, once=True, any_time=True)
    source.seek({})
    lines, spans, rejected = [telemetry.LINES.empty_table()], [telemetry.SPANS.empty_table()], 0
    while not source.finished:
        for batch in source.poll(0, {}):
            lines.append(batch.lines)
            spans.append(batch.spans)
            rejected += sum(batch.dead_letters["units"].to_pylist())
    source.close()
    skipped = source.skipped + ([("logs and spans", f"{rejected} rows cannot be read")] if rejected else [])
    return pa.concat_tables(lines), pa.concat_tables(spans), skipped
