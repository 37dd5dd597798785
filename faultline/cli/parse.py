"""`faultline parse`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import pyarrow as pa

    from faultline.settings import Settings


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    metavar="OUT",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write: .parquet, .csv or .jsonl. Needed unless --explain is all you want.",
)
@click.option(
    "--format",
    "header",
    metavar="auto|message|FORMAT",
    help="Header format: found by itself (auto), none (message), a name, or a pattern.  [default: auto]",
)
@click.option("--service", metavar="NAME", help="Service of the lines.  [default: the file's name]")
@click.option("--year", type=int, help="Year in which times that state none begin.  [default: by the file's date]")
@click.option("--redact", is_flag=True, help="Replace secrets and personal data, as `run` does by default.")
@click.option("--explain", is_flag=True, help="Print how the headers were read, and what was assumed about times.")
def parse(
    files: tuple[Path, ...],
    out: Path | None,
    header: str | None,
    service: str | None,
    year: int | None,
    redact: bool,
    explain: bool,
) -> None:
    """Turn log files into one row a line: time, level, message, template.

    OUT gets one row for every line, file by file, in order: line, record (the line that began the record), time,
    severity_text, service, component, message, template_id, template, params. A continuation line, such as one of a
    stack trace, carries its record's template; filling params into the template gives the message back.

    FILES may be compressed (gzip, bzip2, xz, zstd) or in UTF-16; - is standard input. Lines are cut at 256 KiB.

    \b
    Examples:
      faultline parse app.log -o app.parquet
      faultline parse messages --year 2025 -o messages.csv
      faultline parse app.log.1.gz app.log -o app.csv
      faultline parse app.log --explain
      kubectl logs shop | faultline parse - -o shop.jsonl
    """
    from faultline import settings
    from faultline.cli._files import check_suffix

    if out is None and not explain:
        raise click.UsageError("give -o OUT, --explain, or both")
    if out is not None:
        check_suffix(out)
    flags = {"parsing.format": header, "parsing.year": year, "redaction.enabled": redact}
    found = settings.load(flags=flags)
    with _result(out) as write:
        for path in files:
            explanation = _parse(path, service, found, write)
            if explain:
                click.echo(f"{path}\n{explanation}")


def _parse(path: Path, service: str | None, settings: "Settings", write: "Callable[[pa.Table], None]") -> str:
    from faultline.cli._progress import Progress
    from faultline.lines import parse_file

    progress = Progress()
    try:
        report = lambda count: progress.show(f"{path}: {count:,} lines")  # noqa: E731
        parsed = parse_file(path, service, settings.parser(), report, settings.redactor())
    finally:
        progress.close()
    write(parsed.rows)
    templates = len(parsed.rows["template_id"].unique())
    notes = f", {parsed.cut:,} cut at 256 KiB" if parsed.cut else ""
    notes += f", {parsed.escaped:,} with bytes that are not UTF-8" if parsed.escaped else ""
    click.echo(f"{path}: {len(parsed.rows):,} lines, {templates:,} templates{notes}", err=True)
    return parsed.explanation


@contextmanager
def _result(out: Path | None) -> "Iterator[Callable[[pa.Table], None]]":
    """Yield what takes the rows: a file, or nothing."""
    from faultline.cli._files import table_file
    from parsing import PARSED_LINES

    if out is None:
        yield lambda rows: None
        return
    with table_file(out, PARSED_LINES) as file:
        yield file.write
