"""`faultline detect-sessions`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(name="detect-sessions")
@click.option("--train", metavar="FILE", type=_FILE, required=True, help="Sessions to learn from, normal for the most.")
@click.option("--test", metavar="FILE", type=_FILE, required=True, help="Sessions to score.")
@click.option("-o", "--out", metavar="OUT", type=_FILE, required=True, help="File to write: .csv, .jsonl or .parquet.")
@click.option(
    "--method",
    type=click.Choice(["knn", "unseen"]),
    default="knn",
    show_default=True,
    help="knn: distance of event counts to those learnt; unseen: counts never seen in training.",
)
def detect_sessions(train: Path, test: Path, out: Path, method: str) -> None:
    """Score log sessions by how often each event occurs in them.

    The files hold one session a line: {"block": "...", "events": ["E5", "E22", ...]}; a label in them is never used.
    OUT gets one row a session of the test file, in order: block, score (higher is worse), threshold, and anomaly (1
    where score >= threshold). The threshold comes from the training sessions.

    \b
    Example:
      faultline detect-sessions --train monday.jsonl --test tuesday.jsonl -o scores.csv
    """
    import pyarrow as pa

    from detection import score_sessions
    from faultline.cli._files import check_suffix, table_file

    check_suffix(out)
    learnt = [events for _, events in _read(train)]
    asked = list(_read(test))
    found = score_sessions(learnt, [events for _, events in asked], method)
    schema = pa.schema(
        [("block", pa.string()), ("score", pa.float64()), ("threshold", pa.float64()), ("anomaly", pa.int8())]
    )
    anomaly = (found.scores >= found.threshold).astype("int8")
    columns: list[Any] = [[block for block, _ in asked], found.scores, [found.threshold] * len(asked), anomaly]
    with table_file(out, schema) as result:
        result.write(pa.table(columns, schema=schema))
    click.echo(f"{len(asked):,} sessions scored, {int(anomaly.sum()):,} anomalies: {out}")


def _read(path: Path) -> "Iterator[tuple[str, list[str]]]":
    """Yield block and events of each line. Raises SourceError."""
    import orjson

    from telemetry import SourceError

    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    row = orjson.loads(line)
                    block, events = row["block"], row["events"]
                    sound = isinstance(events, list) and all(isinstance(event, str) for event in events)
                except (ValueError, KeyError, TypeError):
                    sound = False
                if not sound:
                    text = line[:60].decode("utf-8", "replace")
                    raise SourceError(f'{path}: line {number}: want {{"block", "events": [text, ...]}}, found {text!r}')
                yield str(block), events
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from None
