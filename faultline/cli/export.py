"""`faultline export`."""

from pathlib import Path

import click

from faultline.cli._options import store_option


@click.command()
@click.option(
    "-o",
    "--output",
    "out",
    metavar="OUT",
    required=True,
    type=click.Path(path_type=Path),
    help="FILE.duckdb, FILE.csv (one table), or a folder that gets one Parquet file a table.",
)
@click.option("--since", metavar="TIME", help="Leave out rows before this time (ISO 8601, UTC unless it names a zone).")
@click.option("--until", metavar="TIME", help="Leave out rows at or after this time.")
@click.option("--tables", metavar="A,B", help="Tables to write.  [default: all but state]")
@store_option
def export(out: Path, since: str | None, until: str | None, tables: str | None, store: str | None) -> None:
    """Write any time range of the tables as one DuckDB file, as Parquet or as CSV.

    Template edits and lineage are applied. CSV cells cannot be taken for formulas by a spreadsheet.

    \b
    Examples:
      faultline export --since 2026-01-05T08:00 --until 2026-01-05T09:00 -o incident.duckdb
      faultline export --tables logs -o logs.csv
    """
    from faultline.case import parse_time
    from faultline.cli._progress import Progress
    from faultline.cli._store import existing_store
    from faultline.export import TABLES
    from faultline.export import export as write

    names = tuple(name.strip() for name in tables.split(",") if name.strip()) if tables else TABLES
    first, last = (None if time is None else parse_time(time) for time in (since, until))
    progress = Progress()
    try:
        with existing_store(store).reader(memory_limit="2GiB") as reader:
            say = lambda table, rows: progress.show(f"{table}: {rows:,} rows")  # noqa: E731
            written = write(reader, out, names, first, last, say)
    except OSError as error:
        raise click.ClickException(f"cannot write {out}: {error.strerror or error}") from None
    finally:
        progress.close()
    click.echo(f"{out}: " + ", ".join(f"{rows:,} {table}" for table, rows in written.items() if rows))
