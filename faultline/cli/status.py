"""`faultline status`."""

from typing import TYPE_CHECKING

import click

from faultline.cli._options import json_option, store_option

if TYPE_CHECKING:
    from faultline.status import Status


@click.command()
@store_option
@json_option
def status(store: str | None, as_json: bool) -> None:
    """Show what was read and stored, how current it is, and what is open.

    Of every input partition: read = stored + joined (continuation lines) + dead-lettered + filtered. The watermark is
    the event time below which only late rows can still come; the lag, how many positions (Kafka: messages) the input
    was ahead at the last commit. Of every worker: its partitions, and what it read a second in the last minute.

    \b
    Example:
      faultline status --store ./faultline-data
    """
    from faultline.cli._output import print_json
    from faultline.cli._store import existing_store
    from faultline.status import read_status

    found = read_status(existing_store(store))
    if as_json:
        print_json(found.as_dict())
    else:
        _print(found)


def _print(found: "Status") -> None:
    from faultline.cli._output import print_records, utc
    from faultline.cli._text import one_line
    from faultline.doctor import LOW_DISK
    from faultline.status import FATES

    columns = ("source", "partition", *FATES, "lag", "watermark", "committed", "ended")
    print_records(found.partitions, columns, "Input")
    click.echo()
    facts = ("worker", "partitions", "lag", "per_second", "dead_lettered", "committed")
    rows = [{**row, "per_second": round(row["per_second"], 1)} for row in found.workers]
    print_records(rows, facts, "Workers")
    click.echo()
    sizes = ("table", "rows", "files", "bytes", "version")
    print_records(found.tables, sizes, "Tables")
    click.echo()
    click.echo(f"account: {'balanced' if found.balanced else 'NOT BALANCED: rows are missing or doubled'}")
    if found.redacted:
        click.echo(f"redacted: {', '.join(f'{count:,} {kind}' for kind, count in found.redacted.items())}")
    click.echo(f"correlator: {one_line(found.correlator) if found.correlator else 'none'}")
    click.echo(f"detected until: {utc(found.detected_until) if found.detected_until else '-'}")
    if found.free_bytes is not None:
        low = "" if found.free_bytes >= LOW_DISK else "; LOW: a full disk stops the pipeline until there is room"
        click.echo(f"room on disk: {found.free_bytes / 2**30:.1f} GiB{low}")
    click.echo(f"open incidents: {found.open_incidents}")
