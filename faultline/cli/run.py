"""`faultline run`."""

import resource
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from faultline.cli._options import config_option, json_option, store_option

if TYPE_CHECKING:
    from faultline.cli._progress import Progress
    from faultline.correlator import Correlator
    from faultline.own_metrics import OwnMetrics
    from faultline.pipeline import Accounting, Pipeline
    from faultline.settings import Settings
    from ingest import Source


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--source", type=click.Choice(["files", "kafka", "otlp", "stdin"]), required=True, help="Where telemetry is from."
)
@click.option("--once", is_flag=True, help="End when the input is read to its end.")
@click.option("--service", metavar="NAME", help="files, stdin: service of lines that name none.")
@click.option("--bootstrap", metavar="HOST:PORT", multiple=True, help="kafka: a broker to ask first; may be repeated.")
@click.option(
    "--topic",
    metavar="TOPIC",
    multiple=True,
    help="kafka: a topic to read; may be repeated.  [default: logs metrics spans]",
)
@click.option(
    "--listen", metavar="HOST:PORT", help="otlp: address of the OTLP/HTTP endpoint.  [default: 127.0.0.1:4318]"
)
@store_option
@config_option
@json_option
def run(
    paths: tuple[Path, ...],
    source: str,
    once: bool,
    service: str | None,
    bootstrap: tuple[str, ...],
    topic: tuple[str, ...],
    listen: str | None,
    store: str | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Read telemetry, store it, open incidents and rank suspects.

    Runs until SIGTERM or Ctrl-C, then commits what it has and exits 0. A later run on the same store goes on where
    this one ended, also after a crash: no row is lost and none doubled. Only standard input cannot be read again.

    Of Kafka, kafka.max_fetch_bytes bounds what is held in memory. With kafka.client = librdkafka nothing bounds what a
    compressed batch grows into; with kafka-python, the default, kafka.max_batch_bytes does.

    \b
    Examples:
      faultline run --source files logs/ --once
      faultline run --source kafka --bootstrap localhost:9092 --topic logs --topic metrics
      faultline run --source otlp --listen 127.0.0.1:4318
      journalctl -f -o cat | faultline run --source stdin --service web
    """
    _check(source, paths, service, bootstrap, topic)
    if listen and source != "otlp":
        raise click.UsageError(f"--listen belongs to --source otlp, not to {source}")
    from faultline._start import load_without_extras, without_collector

    with without_collector():
        load_without_extras()
        from faultline import logs, settings

        found = settings.load(
            config, {"store": store, "kafka.bootstrap": bootstrap, "kafka.topics": topic, "otlp.listen": listen}
        )
        logs.configure(found.log.level, found.log.format)
        accounting = _run(found, source, paths, service, once)
    if as_json:
        _print_json(accounting)
    else:
        _print(accounting)


def _check(
    source: str, paths: tuple[Path, ...], service: str | None, bootstrap: tuple[str, ...], topic: tuple[str, ...]
) -> None:
    if source == "files" and not paths:
        raise click.UsageError("--source files needs at least one PATH: a file or a folder")
    if source != "files" and paths:
        raise click.UsageError(f"--source {source} takes no PATH, but {paths[0]} was given")
    if source != "kafka" and (bootstrap or topic):
        raise click.UsageError(f"--bootstrap and --topic belong to --source kafka, not to {source}")
    if source in ("kafka", "otlp") and service:
        raise click.UsageError(
            "--service belongs to --source files and stdin; the others name theirs by key, topic or resource"
        )


def _run(settings: "Settings", kind: str, paths: tuple[Path, ...], service: str | None, once: bool) -> "Accounting":
    from faultline.cli._progress import Progress
    from faultline.cli._stop import stop_on_signals
    from faultline.own_metrics import Endpoint, OwnMetrics
    from faultline.pipeline import run_pipeline
    from storage import Store

    settings.parser(), settings.redactor()  # a wrong setting ends the run here, before anything is opened
    own, progress = OwnMetrics(), Progress(plain=once)
    server = own.serve(settings.metrics.port) if settings.metrics.port else None
    try:
        with stop_on_signals() as stop:
            store = Store.open(settings.store)
            source = _open_source(settings, kind, paths, service, once)
            if isinstance(source, Endpoint):
                own.endpoint(source)
            turn = _turn(own, progress)
            return run_pipeline(source, store, settings, once=once, stop=stop, on_progress=turn, own=own)
    finally:
        progress.close()
        if server is not None:
            server.shutdown()


def _turn(own: "OwnMetrics", progress: "Progress") -> Callable[["Pipeline", "Correlator | None"], None]:
    """Return what the pipeline calls at every turn of its loop."""

    def turn(pipeline: "Pipeline", correlator: "Correlator | None") -> None:
        own.beat()
        if progress.due:
            incidents = f", {correlator.open_incidents} open incidents" if correlator else ""
            progress.show(f"{pipeline.rows_committed:,} rows stored{incidents}")

    return turn


def _open_source(settings: "Settings", kind: str, paths: tuple[Path, ...], service: str | None, once: bool) -> "Source":
    if kind == "files":
        from ingest import FilesSource

        _raise_file_limit()
        return FilesSource(paths, once=once, service=service, fields=settings.fields.model_dump())
    if kind == "stdin":
        from ingest import StdinSource

        return StdinSource(service=service, fields=settings.fields.model_dump())
    return _open_otlp(settings, once) if kind == "otlp" else _open_kafka(settings, once)


def _open_otlp(settings: "Settings", once: bool) -> "Source":
    from ingest import OtlpSource

    otlp, store = settings.otlp, settings.store.removeprefix("file://")
    if otlp.journal is None and "://" in store:
        from telemetry import SettingsError

        raise SettingsError(
            f"the store {store} is no local folder: set otlp.journal to one, for the journal of the source"
        )
    folder = otlp.journal or Path(store).expanduser() / "otlp-journal"
    limit = otlp.max_backlog_bytes
    return OtlpSource(folder, otlp.listen, once=once, max_backlog=limit, access=otlp.access())


def _open_kafka(settings: "Settings", once: bool) -> "Source":
    from ingest import KafkaSource

    kafka = settings.kafka
    return KafkaSource(
        kafka.bootstrap,
        kafka.topics,
        group=kafka.group,
        instance=kafka.group_instance_id,
        client=kafka.client,
        once=once,
        options=kafka.options(),
        formats=kafka.formats,
        fields=settings.fields.model_dump(),
        max_fetch=kafka.max_fetch_bytes,
        max_batch=kafka.max_batch_bytes,
    )


def _raise_file_limit() -> None:
    """Allow as many open files as this process is allowed to allow itself: a followed folder may hold thousands."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _print(accounting: "Accounting") -> None:
    from faultline.cli._text import one_line

    total = accounting.total
    for path, why in accounting.skipped:
        click.echo(f"skipped {one_line(path)}: {one_line(why)}")
    click.echo(
        f"read {total.read:,} = {total.stored:,} stored + {total.joined:,} joined"
        f" + {total.dead_lettered:,} dead-lettered + {total.filtered:,} filtered; late: {total.late:,} of the stored"
    )
    if total.ahead:
        click.echo(f"ahead of the clock: {total.ahead:,} of the late; is parsing.timezone or parsing.year wrong?")
    if accounting.redacted:
        click.echo(f"redacted: {', '.join(f'{count:,} {kind}' for kind, count in accounting.redacted.items())}")
    click.echo(f"{len(accounting.partitions)} partitions in {accounting.seconds:.1f} s")


def _print_json(accounting: "Accounting") -> None:
    from faultline.cli._output import print_json

    partitions = {name: vars(counts) for name, counts in accounting.partitions.items()}
    print_json(
        {
            **vars(accounting.total),
            "partitions": partitions,
            "redacted": accounting.redacted,
            "skipped": [{"path": path, "reason": why} for path, why in accounting.skipped],
            "seconds": round(accounting.seconds, 3),
        }
    )
