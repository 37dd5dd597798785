"""`faultline simulate`."""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from faultline.cli._progress import Progress
    from simulation import Chunk, Fault, Sink

FILES_S = 3600
FIRST_FAULT_S = 300
BETWEEN_FAULTS_S = 600


class _Time(click.ParamType[datetime]):
    """A time: ISO 8601 with a zone, or "now"; to the second."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            time = datetime.now(UTC) if value == "now" else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time; want ISO 8601, as 2026-01-05T08:00:00Z, or now", param, ctx)
        if time.tzinfo is None:
            self.fail(f"{value!r} states no time zone; want one, as in 2026-01-05T08:00:00Z", param, ctx)
        return time.replace(microsecond=0)


@click.command()
@click.option("--to", type=click.Choice(["files", "kafka"]), required=True, help="Where to write.")
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path, file_okay=False), help="files: the folder.")
@click.option("--bootstrap", metavar="HOST:PORT", help="kafka: a broker; missing topics are created.")
@click.option(
    "--fault",
    metavar="KIND@SERVICE",
    multiple=True,
    help="A fault 5 minutes in, for 4 minutes; repeated ones follow 10 minutes apart. `none`: no fault.  "
    "[default: those the seed draws, from 30 minutes in]",
)
@click.option(
    "--severity", type=click.Choice(["low", "medium", "high"]), default="medium", show_default=True, help="Of --fault."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The same seed, the same bytes.")
@click.option(
    "--seconds", type=click.IntRange(1), help="Simulated length.  [default: files 3600; kafka until interrupted]"
)
@click.option(
    "--start", type=_Time(), help="Event time of the first second.  [default: files 2026-01-05T08:00:00Z; kafka now]"
)
@click.option(
    "--speed",
    type=click.FloatRange(0, min_open=True),
    help="Simulated seconds per second.  [default: files as fast as possible; kafka 1]",
)
@click.option(
    "--demo",
    type=_Time(),
    help="What `faultline demo` shows: two quiet hours up to this time, then live with a fault every 6 minutes.",
)
def simulate(
    to: str,
    out: Path | None,
    bootstrap: str | None,
    fault: tuple[str, ...],
    severity: str,
    seed: int,
    seconds: int | None,
    start: datetime | None,
    speed: float | None,
    demo: datetime | None,
) -> None:
    """Write the telemetry of a simulated shop, with faults whose cause is known.

    More than a dozen services write logs in formats of their own, metrics every 5 s, and spans. The truth about the
    faults goes to DIR/truth/faults.json, never into the telemetry.

    \b
    Examples:
      faultline simulate --to files --out ./shop --fault slow_query@orders-db --severity high
      faultline simulate --to kafka --bootstrap localhost:9092 --demo now
    """
    from faultline.cli._progress import Progress
    from faultline.cli._stop import stop_on_signals

    if demo and (fault or start or speed):
        raise click.UsageError("--demo brings its own faults, start and speed: leave --fault, --start and --speed out")
    live = to == "kafka"
    faults = _faults(fault, severity)
    progress = Progress()
    with stop_on_signals() as stop, closing(_open(to, out, bootstrap)) as sink:
        watched = _Watched(sink, progress)
        if demo:
            from simulation import demo as run_demo

            truth = run_demo(watched, live_start=demo, seconds=seconds, seed=seed, stop=stop.is_set)
        else:
            from simulation import DEFAULT_START
            from simulation import simulate as run

            begin = start or (datetime.now(UTC).replace(microsecond=0) if live else DEFAULT_START)
            length = seconds or (None if live else FILES_S)
            pace = speed or (1.0 if live else None)
            truth = run(watched, start=begin, seconds=length, seed=seed, faults=faults, speed=pace, stop=stop.is_set)
    progress.close()
    click.echo(f"{watched.records:,} records written; faults: {len(truth)}")


def _faults(texts: Sequence[str], severity: str) -> "list[Fault] | str":
    from simulation import parse_fault

    if not texts:
        return "schedule"
    if texts == ("none",):
        return []
    return [
        parse_fault(text, severity, start=FIRST_FAULT_S + number * BETWEEN_FAULTS_S)
        for number, text in enumerate(texts)
    ]


def _open(to: str, out: Path | None, bootstrap: str | None) -> "Sink":
    from simulation import FilesSink, KafkaSink

    if to == "files":
        if out is None or bootstrap:
            raise click.UsageError("--to files needs --out DIR, and no --bootstrap")
        return FilesSink(out)
    if bootstrap is None or out:
        raise click.UsageError("--to kafka needs --bootstrap HOST:PORT, and no --out")
    return KafkaSink(bootstrap)


class _Watched:
    """A sink that says how far it is."""

    def __init__(self, sink: "Sink", progress: "Progress") -> None:
        self._sink, self._progress = sink, progress
        self.records = 0
        self.truth, self.close = sink.truth, sink.close

    def write(self, chunk: "Chunk") -> None:
        self._sink.write(chunk)
        self.records += sum(map(len, chunk.logs.values())) + len(chunk.metrics) + len(chunk.spans)
        self._progress.show(f"{chunk.end:,} s simulated, {self.records:,} records written")
