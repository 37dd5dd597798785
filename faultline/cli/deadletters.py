"""`faultline deadletters`: list, show, retry."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faultline.cli._options import config_option, json_option, store_option

if TYPE_CHECKING:
    from storage import Reader

_STATUS = """
    select d.*, case when r."offset" is null then 'rejected'
        when r."offset" < (select coalesce(max(next), 0) from ledger where app_id = 'retry') then 'retried'
        else 'queued' end as status
    from dead_letters d left join retries r on r.letter = d.id
"""
_COUNTS = f"""
    select source, reason, status, count(*) as letters, sum(units)::bigint as units, max(time) as newest
    from ({_STATUS}) group by all order by units desc, source, reason, status
"""  # noqa: S608 - constants
_NEWEST = f"""
    select id, time, source, "partition", "offset", reason, status, units, detail from ({_STATUS})
    where (? is null or reason = ?) and (? is null or source = ?) order by time desc, source, "offset" desc limit ?
"""  # noqa: S608 - constants
_SHOW = f"select * from ({_STATUS}) where starts_with(id, ?) order by id limit 9"  # noqa: S608 - constants


@click.group()
def deadletters() -> None:
    """List what was rejected and why, show one, or decode what can be decoded now.

    \b
    Examples:
      faultline deadletters list --reason bad_time
      faultline deadletters show 3f9c
      faultline deadletters retry --reason bad_time
    """


@deadletters.command("list")
@store_option
@json_option
@click.option("--reason", metavar="REASON", help="Show letters with this reason only.")
@click.option("--source", metavar="SOURCE", help="Show letters of this source only.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Most letters to show.")
def list_letters(store: str | None, as_json: bool, reason: str | None, source: str | None, limit: int) -> None:
    """Count dead letters by source and reason, and list the newest.

    \b
    Example:
      faultline deadletters list --limit 5 --json
    """
    from faultline.cli._files import records
    from faultline.cli._output import print_json, print_records
    from faultline.cli._store import existing_store

    with existing_store(store).reader() as reader:
        counts = records(reader.query(_COUNTS))
        letters = records(reader.query(_NEWEST, (reason, reason, source, source, limit)))
    if as_json:
        print_json({"counts": counts, "letters": letters})
        return
    for title, rows, columns in (
        ("Counts", counts, ("source", "reason", "status", "letters", "units", "newest")),
        ("Newest", letters, ("id", "time", "source", "partition", "offset", "reason", "status", "units", "detail")),
    ):
        print_records(rows, columns, title)
        click.echo()


@deadletters.command()
@click.argument("letter_id", metavar="ID")
@store_option
@json_option
def show(letter_id: str, store: str | None, as_json: bool) -> None:
    """Show one dead letter with its bytes; the first digits of its id are enough.

    Bytes that are no printable text are shown as escapes. Secrets were redacted before it was stored.

    \b
    Example:
      faultline deadletters show 3f9c
    """
    from faultline.cli._output import print_json, utc
    from faultline.cli._store import existing_store
    from faultline.cli._text import one_line, visible

    with existing_store(store).reader() as reader:
        letter = _load(reader, letter_id)
    raw = letter["raw"].decode("utf-8", "backslashreplace")
    if as_json:
        print_json(letter | {"raw": raw})
        return
    click.echo(f"{letter['id']}  {letter['status']}, {letter['reason']}: {one_line(letter['detail'])}")
    click.echo(f"{one_line(letter['source'])}, partition {letter['partition']}, offset {letter['offset']}")
    click.echo(f"rejected {utc(letter['time'])}; stands for {letter['units']} input unit(s)\n")
    click.echo(visible(raw))


def _load(reader: "Reader", prefix: str) -> dict[str, Any]:
    from telemetry import UsageError

    found: list[dict[str, Any]] = reader.query(_SHOW, (prefix,)).to_pylist()
    if len(found) != 1:
        matches = ", ".join(row["id"] for row in found) or "none; `faultline deadletters list` shows those there are"
        raise UsageError(f"{prefix} must name one dead letter; it matches {matches}")
    return found[0]


@deadletters.command()
@click.argument("letter_id", metavar="[ID]", required=False)
@click.option("--reason", metavar="REASON", help="Only letters with this reason.")
@store_option
@config_option
@json_option
def retry(letter_id: str | None, reason: str | None, store: str | None, config: Path | None, as_json: bool) -> None:
    """Decode dead letters again, with this version and these settings, and store what can be decoded now.

    Whole JSON, OTLP and Prometheus records can be; parts of a record, cells of a table, lines without their header and
    what was cut at 64 KiB cannot. Each is stored once, however often this runs or is killed, as source "retry", and
    flagged late, so that detection passes it over.

    \b
    Example:
      faultline deadletters retry --reason bad_time
    """
    from dataclasses import asdict

    from faultline import logs, settings
    from faultline.cli._output import print_json
    from faultline.deadletters import retry as retry_letters
    from storage import Store

    found = settings.load(config, {"store": store})
    logs.configure(found.log.level, found.log.format)
    done = retry_letters(Store.open(found.store, create=False), found, letter=letter_id, reason=reason)
    if as_json:
        print_json(asdict(done))
    else:
        left = done.tried - done.queued
        click.echo(f"{done.tried} tried: {done.queued} decode now, {left} do not; {done.stored} stored")
