"""`faultline compact`."""

import click

from faultline.cli._options import store_option


@click.command()
@store_option
def compact(store: str | None) -> None:
    """Merge the small files of the tables and drop those no longer needed.

    A running pipeline does this by itself; running both at once is safe.

    \b
    Example:
      faultline compact --store ./faultline-data
    """
    from faultline.cli._store import existing_store

    existing_store(store)
