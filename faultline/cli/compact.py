"""`faultline compact`."""

import click

from faultline.cli._options import store_option


@click.command()
@store_option
def compact(store: str | None) -> None:
    """Merge the small files of the tables and drop those no longer needed.

    A pipeline and readers may run meanwhile.

    \b
    Example:
      faultline compact --store ./faultline-data
    """
    from faultline.cli._output import print_table
    from faultline.cli._store import existing_store
    from storage import compact as run

    columns = ("table", "files_before", "files_after", "deleted")
    print_table(columns, [[getattr(done, name) for name in columns] for done in run(existing_store(store))])
