"""`faultline detect`."""

from pathlib import Path

import click


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    metavar="OUT",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File to write: .csv, .jsonl or .parquet.",
)
def detect(file: Path, out: Path) -> None:
    """Score every value of a metrics file, by what came before it.

    FILE is a CSV with a time column and one column a series, or with the columns timestamp and value. OUT gets one row
    a value, in the order of the file: series, time (as given), score (higher is worse; empty where there is no value),
    threshold, and anomaly (1 where score >= threshold). A score uses nothing that comes after its time.

    \b
    Example:
      faultline detect cpu.csv -o scores.csv
    """
    from detection import DETECTED, score_series
    from faultline.cli._files import check_suffix, table_file
    from ingest import read_matrix

    check_suffix(out)
    matrix = read_matrix(file)
    scores = score_series(matrix.times, matrix.series, matrix.values)
    with table_file(out, DETECTED) as result:
        result.write(scores)
    for column, why in matrix.ignored:
        click.echo(f"ignored column {column}: {why}", err=True)
    anomalies = scores["anomaly"].to_numpy().sum()
    click.echo(f"{len(scores):,} values of {len(matrix.series):,} series scored, {anomalies:,} anomalies: {out}")
