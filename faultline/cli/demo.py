"""`faultline demo`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from faultline.cli._options import config_option, json_option

if TYPE_CHECKING:
    from faultline.settings import Settings

REPORT_SEED = 101
"""Detectors were tuned on seeds 1 to 20; reports use seeds nobody tuned on."""


@click.command()
@click.option("--seconds", type=click.FloatRange(min=1), help="Length of the live part.  [default: until interrupted]")
@click.option("--seed", type=click.IntRange(0), help="Seed of the faults.  [default: 1; with --report 101]")
@click.option("--no-dashboard", is_flag=True, help="Do not start the dashboard.")
@click.option("--store", metavar="URL", help="Keep the tables here.  [default: a temporary folder, removed at the end]")
@click.option(
    "--seeds", type=click.IntRange(1), default=20, show_default=True, help="With --report: how many seeds to run."
)
@click.option(
    "--report",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Instead of a live demo: run many seeds, and write here how often the culprit was found.",
)
@json_option
@config_option
def demo(
    seconds: float | None,
    seed: int | None,
    no_dashboard: bool,
    store: str | None,
    seeds: int,
    report: Path | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """Watch the whole way: a simulated shop fails, Faultline finds the culprit.

    Two simulated hours are read first, then the shop runs live and its services begin to fail. Each incident is
    printed with its suspects, and the true cause beside them. Needs neither Kafka nor network.

    \b
    Examples:
      faultline demo
      faultline demo --seconds 60 --no-dashboard --seed 7 --json
      faultline demo --seeds 20 --report ./report
    """
    from faultline import logs, settings

    found = settings.load(config)
    logs.configure(found.log.level, found.log.format)
    if report is not None:
        _report(found, range(first := REPORT_SEED if seed is None else seed, first + seeds), report, as_json)
        return
    from faultline.cli._stop import stop_on_signals
    from faultline.cli._text import visible
    from faultline.demo import run_demo

    with stop_on_signals() as stop:
        result = run_demo(
            found,
            seconds=seconds,
            seed=1 if seed is None else seed,
            dashboard=not no_dashboard,
            store_url=store,
            say=lambda text: click.echo(visible(text), err=as_json),
            stop=stop,
        )
    if as_json:
        click.echo(result.as_json())


def _report(settings: "Settings", seeds: range, folder: Path, as_json: bool) -> None:
    from faultline.cli._output import print_json
    from faultline.cli._progress import Progress
    from faultline.report import run_report

    progress = Progress()
    document = run_report(seeds, folder, settings, lambda done, of: progress.show(f"{done} of {of} seeds done"))
    progress.close()
    if as_json:
        print_json(document)
    else:
        click.echo((folder / "report.md").read_text(encoding="utf-8"))
