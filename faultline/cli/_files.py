"""Result files by suffix (.parquet, .csv, .jsonl), and the plain forms of a table that people and programs read."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from telemetry import UsageError, format_id

SUFFIXES = (".parquet", ".csv", ".jsonl")
# Columns that hold a template id: int64 in tables and Parquet, 16 hex digits wherever people read it.
_ID_COLUMNS = frozenset({"template_id", "from_id", "to_id"})
_FORMULA = "^[=+@\t\r-]"
_NUMBER = r"^[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?$"
_NO_HEADER = pa_csv.WriteOptions(include_header=False, quoting_style="needed")


def records(table: pa.Table) -> list[dict[str, Any]]:
    """Return a table's rows as dicts for JSON: template ids as 16 hex digits, bytes as escaped text."""
    rows: list[dict[str, Any]] = table.to_pylist(maps_as_pydicts="lossy")
    return [{name: _plain(name, value) for name, value in row.items()} for row in rows]


def _plain(name: str, value: Any) -> Any:
    if name in _ID_COLUMNS and isinstance(value, int):
        return format_id(value)
    if name == "template_ids" and isinstance(value, list):
        return [format_id(one) for one in value]
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def json_bytes(value: Any) -> bytes:
    """Return `value` as one line of JSON with its line feed; times become ISO 8601 with `Z`."""
    options = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    return orjson.dumps(value, option=options, default=_json_value)


def _json_value(value: Any) -> Any:
    """Return what JSON has no type for: whole numbers of a sum (a decimal in DuckDB) as such, others as text."""
    whole = isinstance(value, Decimal) and value.is_finite() and value.as_tuple().exponent == 0
    return int(value) if whole and -(2**63) <= value < 2**63 else str(value)


def csv_bytes(table: pa.Table) -> bytes:
    """Return the rows of `table` as CSV without header. No text cell can be taken for a formula by a spreadsheet.

    A text that begins with one of `= + - @`, tab or CR and is no number gets a leading quote ('). Lists and maps
    become JSON, times ISO 8601.
    """
    sink = pa.BufferOutputStream()
    columns = [_csv_column(name, table[name]) for name in table.column_names]
    pa_csv.write_csv(pa.table(columns, names=table.column_names), sink, _NO_HEADER)
    return bytes(sink.getvalue().to_pybytes())


def csv_header(names: list[str]) -> bytes:
    """Return the CSV header line; column names of a query are text from outside as well."""
    return csv_bytes(pa.table([[name] for name in names], names=[str(number) for number in range(len(names))]))


def _csv_column(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    kind = column.type
    if name in _ID_COLUMNS and pa.types.is_int64(kind):
        return pa.array([None if value is None else format_id(value) for value in column.to_pylist()], pa.string())
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pc.strftime(column.cast(pa.timestamp("us", "UTC")), format="%Y-%m-%dT%H:%M:%SZ")
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        column = pa.chunked_array([pa.array([_as_text(name, value) for value in column.to_pylist()], pa.string())])
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return _formula_safe(column.cast(pa.string()))
    return column


def _as_text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    plain = _plain(name, value)
    return plain if isinstance(plain, str) else json_bytes(plain).decode().rstrip("\n")


def _formula_safe(column: pa.ChunkedArray) -> pa.ChunkedArray:
    risky = pc.and_not(pc.match_substring_regex(column, _FORMULA), pc.match_substring_regex(column, _NUMBER))
    return pc.if_else(risky, pc.binary_join_element_wise("'", column, ""), column)


class TableFile:
    """A result file that grows table by table."""

    def __init__(self, handle: IO[bytes], suffix: str, schema: pa.Schema) -> None:
        self._handle = handle
        self._suffix = suffix
        self._parquet = pq.ParquetWriter(handle, schema) if suffix == ".parquet" else None
        if suffix == ".csv":
            handle.write(csv_header(schema.names))

    def write(self, table: pa.Table) -> None:
        """Append the rows of `table`, whose schema is that of the file."""
        if self._parquet is not None:
            self._parquet.write_table(table)
        elif self._suffix == ".csv":
            self._handle.write(csv_bytes(table))
        else:
            self._handle.writelines(json_bytes(row) for row in records(table))

    def close(self) -> None:
        """Finish the file."""
        if self._parquet is not None:
            self._parquet.close()


@contextmanager
def table_file(path: Path, schema: pa.Schema) -> Iterator[TableFile]:
    """Open a result file; it takes its name only once it is complete, so that a failure leaves no half of one."""
    check_suffix(path)
    part = path.with_name(f".{path.name}.part")
    try:
        handle = part.open("wb")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    try:
        with handle:
            file = TableFile(handle, path.suffix, schema)
            try:
                yield file
            finally:
                file.close()
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def check_suffix(path: Path) -> None:
    """Raise UsageError unless the suffix names a format this program writes."""
    if path.suffix not in SUFFIXES:
        raise UsageError(f"cannot tell the format of {path}: the name must end in one of {', '.join(SUFFIXES)}")
