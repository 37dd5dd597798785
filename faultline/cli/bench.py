"""`faultline bench`: starts the benchmark, a program of its own."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

_FOLDER = click.Path(path_type=Path, file_okay=False)
_TASKS = {
    "parsing": "Log parsing: GA, PA, FGA and FTA, from messages and from raw lines.",
    "detection": "Anomalies in metrics: NAB, VUS-PR, PATE, event F1, alerts a series-day.",
    "sessions": "Anomalous log sessions: precision, recall and F1.",
    "rca": "Root cause ranking: AC@1, AC@3, AC@5 and Avg@5, by how well the onset is known.",
    "throughput": "Speed and memory: parsing, the whole pipeline, detection, root cause analysis.",
    "all": "All tasks into one report.",
}
_EXAMPLE = "\b\nExample:\n  faultline bench {name} --data ./data --report ./report"


@click.group()
def bench() -> None:
    """Measure what ships beside named baselines, on labelled data.

    A run writes results.json, cases.json, index.html and summary.md into the report folder and prints the summary.
    Finished cases are kept there: an interrupted run goes on where it stopped. Faulty data or a method that fails ends
    the run with exit code 1.

    \b
    Examples:
      faultline bench all --data ./data --report ./report
      faultline bench compare ./before ./after
    """


def _options(command: Callable[..., None]) -> Callable[..., None]:
    options: Sequence[Callable[[Any], Any]] = (
        click.option("--data", metavar="DIR", type=_FOLDER, required=True, help="Folder with the data sets."),
        click.option("--report", metavar="DIR", type=_FOLDER, required=True, help="Folder to write the report into."),
        click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything random."),
        click.option("--jobs", type=click.IntRange(1), help="Cases at the same time.  [default: one a core]"),
        click.option("--bootstrap", metavar="HOST:PORT", help="Kafka broker for the throughput from Kafka."),
        click.option(
            "--lines",
            type=click.IntRange(1000),
            default=1_600_000,
            show_default=True,
            help="Lines of a throughput corpus.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _command(name: str, summary: str) -> click.Command:
    def run(data: Path, report: Path, seed: int, jobs: int | None, bootstrap: str | None, lines: int) -> None:
        arguments = [name, "--data", str(data), "--report", str(report), "--seed", str(seed), "--lines", str(lines)]
        arguments += ["--jobs", str(jobs)] if jobs else []
        arguments += ["--bootstrap", bootstrap] if bootstrap else []
        _become(arguments)

    return click.command(name=name, help=f"{summary}\n\n{_EXAMPLE.format(name=name)}")(_options(run))


for _name, _summary in _TASKS.items():
    bench.add_command(_command(_name, _summary))


@bench.command()
@click.argument("a", type=_FOLDER)
@click.argument("b", type=_FOLDER)
def compare(a: Path, b: Path) -> None:
    """Show which figures changed from report A to report B, and whether by more than noise.

    \b
    Example:
      faultline bench compare ./before ./after
    """
    _become(["compare", str(a), str(b)])


def _become(arguments: list[str]) -> NoReturn:
    # The benchmark is a program of its own above this one: importing it would turn the layers round. It takes this
    # process over, so that signals and the exit code are its own.
    os.execv(sys.executable, [sys.executable, "-m", "benchmarks", *arguments])  # noqa: S606 (our own module, no shell)
