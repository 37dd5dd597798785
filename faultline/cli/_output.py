"""Writing to standard output: tables for people, JSON and CSV for programs."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import pyarrow as pa

from faultline.cli._files import csv_bytes, csv_header, json_bytes
from faultline.cli._text import visible


def utc(time: datetime) -> str:
    """Return a time as people read it: UTC, to the second, or to the millisecond where it has a fraction."""
    precision = "milliseconds" if time.microsecond else "seconds"
    return time.astimezone(UTC).isoformat(sep=" ", timespec=precision).removesuffix("+00:00") + "Z"


def print_json(value: Any) -> None:
    """Print `value` as one line of JSON."""
    click.echo(json_bytes(value), nl=False)


def print_csv(table: pa.Table) -> None:
    """Print a table as CSV; text cells are made safe against formulas."""
    click.echo(csv_header(table.column_names) + csv_bytes(table), nl=False)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """Print rows as a table: ruled on a terminal; elsewhere plain, with tabs between the columns."""
    texts = [[_cell(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _print_ruled(columns, texts, title)
        return
    for row in [list(columns), *texts]:
        click.echo("\t".join(" ".join(text.split()) for text in row))


def print_records(records: Iterable[Mapping[str, Any]], columns: Sequence[str], title: str | None = None) -> None:
    """Print these columns of records as a table."""
    print_table(columns, [[record[name] for name in columns] for record in records], title)


def _print_ruled(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str | None) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, title=title, title_justify="left", box=box.SIMPLE_HEAD, header_style="bold")
    for row in rows:
        table.add_row(*(Text(text, overflow="fold") for text in row))
    Console().print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return visible(", ".join(value))
    return visible(str(value))
