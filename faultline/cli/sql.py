"""`faultline sql`."""

import click

from faultline.cli._options import json_option, store_option


@click.command()
@click.argument("query")
@store_option
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option(
    "--limit", type=click.IntRange(0), default=1000, show_default=True, help="Most rows to print; 0 prints all."
)
def sql(query: str, store: str | None, as_json: bool, as_csv: bool, limit: int) -> None:
    """Query the stored tables with SQL (DuckDB).

    The tables are described in docs/tables.md. Queries only read: files, network and settings are locked.

    \b
    Examples:
      faultline sql "select service, count(*) from logs where severity_number >= 17 group by all"
      faultline sql "from suspects where rank = 1" --json
    """
    from faultline.cli._files import records
    from faultline.cli._output import print_csv, print_json, print_table
    from faultline.cli._store import existing_store

    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other: choose one")
    with existing_store(store).reader() as reader:
        found = reader.query(query)
    shown = found.slice(0, limit) if limit else found
    if as_json:
        print_json(records(shown))
    elif as_csv:
        print_csv(shown)
    else:
        print_table(shown.column_names, [list(row.values()) for row in records(shown)])
    if len(shown) < len(found):
        click.echo(f"{len(found) - len(shown)} more rows: raise --limit to see them", err=True)
