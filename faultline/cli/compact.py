"""`faultline compact`."""

from pathlib import Path

import click

from faultline.cli._options import config_option, store_option


@click.command()
@store_option
@config_option
def compact(store: str | None, config: Path | None) -> None:
    """Apply retention, merge the small files of the tables and drop what is no longer needed.

    Rows older than `retention.days`, and the oldest above `retention.max_bytes`, are deleted. A running pipeline does
    all of this by itself; pipelines and readers may run meanwhile.

    \b
    Example:
      faultline compact --store ./faultline-data
    """
    from faultline import settings
    from faultline.cli._output import print_table
    from storage import Store
    from storage import compact as run

    found = settings.load(config, {"store": store})
    done = run(Store.open(found.store, create=False), found.retention.rule())
    columns = ("table", "files_before", "files_after", "expired_rows", "deleted")
    print_table(columns, [[getattr(table, name) for name in columns] for table in done])
    if not done:
        click.echo("another process is at it: nothing done", err=True)
