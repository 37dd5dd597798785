"""A time range of the stored tables, as one DuckDB file, a folder of Parquet files, or CSV.

Rows go through as they are read, so that a range of any size needs little memory. The result takes its name only when
it is complete; what is left of a run that was stopped has `.part` in its name.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

import telemetry
from telemetry import UsageError

if TYPE_CHECKING:
    from storage import Reader

TABLES = tuple(name for name in telemetry.TABLES if name != "state")
"""What is exported unless said otherwise: everything but saved state, which means something to this program only."""


def export(
    reader: "Reader",
    out: Path,
    tables: Sequence[str] = TABLES,
    since_us: int | None = None,
    until_us: int | None = None,
    on_rows: Callable[[str, int], None] = lambda table, rows: None,
) -> dict[str, int]:
    """Write rows with since_us <= time < until_us (us, UTC) and return how many of each table.

    `out` ends in `.duckdb` (a file with one table each), `.csv` (one table), or names a folder (Parquet files).
    Lineage and edits are applied. `on_rows` hears of each batch. Raises UsageError, QueryError, StoreError, OSError.
    """
    write = _writer(out, tables)
    if out.exists():
        raise UsageError(f"{out} is there already: choose another name, or remove it")
    part = out.with_name(f"{out.name}.part")
    _remove(part)
    written: dict[str, int] = {}
    streams = {table: _counted(reader.batches(table, since_us, until_us), table, written, on_rows) for table in tables}
    try:
        write(part, streams)
        part.rename(out)
    finally:
        _remove(part)
    return written


_Batches = Iterator[pa.RecordBatch]
_Streams = dict[str, tuple[pa.Schema, _Batches]]


def _writer(out: Path, tables: Sequence[str]) -> Callable[[Path, "_Streams"], None]:
    if unknown := set(tables) - set(telemetry.TABLES):
        raise UsageError(f"no table is called {', '.join(sorted(unknown))}; there are: {', '.join(telemetry.TABLES)}")
    if out.suffix == ".csv" and len(tables) != 1:
        raise UsageError(f"{out} can hold one table: name it with --tables, as in --tables logs")
    if out.suffix not in ("", ".csv", ".duckdb"):
        raise UsageError(f"cannot write {out}: want a name that ends in .duckdb or .csv, or a folder for Parquet files")
    return {".csv": _write_csv, ".duckdb": _write_duckdb, "": _write_parquet}[out.suffix]


def _counted(
    stream: tuple[pa.Schema, _Batches], table: str, written: dict[str, int], on_rows: Callable[[str, int], None]
) -> tuple[pa.Schema, _Batches]:
    def rows() -> _Batches:
        written[table] = 0
        for batch in stream[1]:
            yield batch
            written[table] += len(batch)
            on_rows(table, written[table])

    return stream[0], rows()


def _write_duckdb(path: Path, streams: _Streams) -> None:
    import duckdb

    with duckdb.connect(str(path)) as connection:
        for table, (schema, batches) in streams.items():
            connection.register("rows", pa.RecordBatchReader.from_batches(schema, batches))
            connection.execute(f'CREATE TABLE "{table}" AS FROM rows')
            connection.unregister("rows")


def _write_parquet(path: Path, streams: _Streams) -> None:
    import pyarrow.parquet as pq

    path.mkdir()
    for table, (schema, batches) in streams.items():
        with pq.ParquetWriter(path / f"{table}.parquet", schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch, row_group_size=122_880)


def _write_csv(path: Path, streams: _Streams) -> None:
    from faultline.cli._files import csv_bytes, csv_header

    ((schema, batches),) = streams.values()
    with path.open("wb") as file:
        file.write(csv_header(schema.names))
        for batch in batches:
            file.write(csv_bytes(pa.Table.from_batches([batch])))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
