"""`faultline status`."""

import click

from faultline.cli._options import json_option, store_option


@click.command()
@store_option
@json_option
def status(store: str | None, as_json: bool) -> None:
    """Show what was read and stored, how current it is, and what is open.

    Of every input partition: read = stored + joined (continuation lines) + dead-lettered + filtered.

    \b
    Example:
      faultline status --store ./faultline-data
    """
    from faultline.cli._output import print_json, print_table
    from faultline.cli._store import existing_store
    from faultline.status import FATES, read_status

    found = read_status(existing_store(store))
    if as_json:
        print_json(found.as_dict())
        return
    print_table(
        ("source", "partition", *FATES, "watermark", "state"),
        [
            (row["source"], row["partition"], *(row[fate] for fate in FATES), row["watermark"], row["state"])
            for row in found.partitions
        ],
        title="Input",
    )
    click.echo()
    print_table(("table", "rows"), list(found.rows.items()), title="Tables")
    click.echo(f"\nopen incidents: {found.open_incidents}")
    click.echo(f"last detection window ends: {found.correlated_until or '-'}")
