"""`faultline rca`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from faultline.cli._options import json_option

if TYPE_CHECKING:
    from rca import Diagnosis

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("case", type=click.Path(path_type=Path))
@click.option("--at", metavar="TIME", help="When the failure began.  [default: searched for]")
@click.option(
    "--until",
    metavar="TIME",
    help="Use nothing after this.  [default: with --at, 5 minutes or 5 rows after it, whichever is longer]",
)
@click.option("--normal", metavar="FILE", type=_FILE, help="Metrics of normal operation, to compare with.")
@click.option("--graph", metavar="FILE", type=_FILE, help="Call graph (CSV): caller, callee; or a square matrix.")
@click.option("--method", default="default", show_default=True, help="How to rank: default, granger, pcmci, ...")
@json_option
def rca(
    case: Path,
    at: str | None,
    until: str | None,
    normal: Path | None,
    graph: Path | None,
    method: str,
    as_json: bool,
) -> None:
    """Rank the services of a recorded failure: which one caused it?

    CASE is a folder with metrics.csv or data.csv (time, and columns named service_metric or service|metric) and, where
    there are, logs.parquet, traces.parquet and dependency.csv; or one such CSV file. Files that hold the answer are
    never read. A TIME is ISO 8601, a number since the epoch, or seconds as in the file.

    \b
    Examples:
      faultline rca cases/cart-cpu --at 2026-01-05T08:05:00Z
      faultline rca cases/cart-cpu --at 1767600300 --normal normal.csv --graph calls.csv --json
    """
    from faultline import settings
    from faultline.case import evidence_of, parse_time
    from faultline.cli._output import print_json
    from ingest import read_case, read_graph, read_normal
    from rca import diagnose

    found = read_case(case)
    for what, why in found.skipped:
        click.echo(f"left out {what}: {why}", err=True)
    evidence = evidence_of(
        found,
        settings.load().parser(),
        at=None if at is None else parse_time(at),
        until=None if until is None else parse_time(until),
        normal=None if normal is None else read_normal(normal),
        graph=None if graph is None else read_graph(graph),
    )
    diagnosis = diagnose(evidence, method)
    if as_json:
        print_json(diagnosis.as_dict())
    else:
        _print(diagnosis)


def _print(diagnosis: "Diagnosis") -> None:
    from faultline.cli.incidents import print_suspects

    found = diagnosis.as_dict()
    click.echo(f"verdict: {found['verdict']} (confidence {found['confidence']:.2f})")
    click.echo(f"onset: {found['onset']}, method: {found['method']}, {found['seconds']:.2f} s\n")
    print_suspects(found["suspects"])
