"""`faultline incidents list` and `faultline incidents show`."""

from typing import TYPE_CHECKING, Any

import click

from faultline.cli._options import json_option, store_option

if TYPE_CHECKING:
    from storage import Reader

_LIST = "select * from incidents where ? or status <> 'resolved' order by opened desc, id limit ?"
_SUSPECTS = "select * exclude (incident_id) from suspects where incident_id = ? order by rank"
_EVENTS = "select time, kind, actor, detail from incident_events where incident_id = ? order by seq"


@click.group()
def incidents() -> None:
    """List incidents, or show one with its suspects and their evidence.

    \b
    Examples:
      faultline incidents list --all
      faultline incidents show 3f9c
    """


@incidents.command("list")
@store_option
@json_option
@click.option("--all", "everything", is_flag=True, help="Also those that are resolved.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Most incidents to list.")
def list_incidents(store: str | None, as_json: bool, everything: bool, limit: int) -> None:
    """List incidents, newest first.

    \b
    Example:
      faultline incidents list --all --json
    """
    from faultline.cli._files import records
    from faultline.cli._output import print_json, print_records
    from faultline.cli._store import existing_store

    with existing_store(store).reader() as reader:
        found = records(reader.query(_LIST, (everything, limit)))
    if as_json:
        print_json(found)
        return
    columns = ("id", "opened", "status", "severity", "title", "services", "verdict")
    print_records(found, columns)


@incidents.command()
@click.argument("incident_id", metavar="ID")
@store_option
@json_option
def show(incident_id: str, store: str | None, as_json: bool) -> None:
    """Show one incident; the first digits of its id are enough.

    \b
    Example:
      faultline incidents show 3f9c
    """
    from faultline.cli._output import print_json
    from faultline.cli._store import existing_store

    with existing_store(store).reader() as reader:
        incident = _load(reader, incident_id)
    if as_json:
        print_json(incident)
    else:
        _print(incident)


def _load(reader: "Reader", prefix: str) -> dict[str, Any]:
    from faultline.cli._files import records
    from telemetry import UsageError

    found = records(reader.query("select * from incidents where starts_with(id, ?) order by id limit 9", (prefix,)))
    if len(found) != 1:
        matches = (
            ", ".join(row["id"] for row in found) or "none; `faultline incidents list --all` shows those there are"
        )
        raise UsageError(f"{prefix} must name one incident; it matches {matches}")
    incident = found[0]
    incident["suspects"] = records(reader.query(_SUSPECTS, (incident["id"],)))
    incident["events"] = records(reader.query(_EVENTS, (incident["id"],)))
    return incident


def _print(incident: dict[str, Any]) -> None:
    from faultline.cli._output import print_table, utc
    from faultline.cli._text import one_line

    confidence = "" if incident["confidence"] is None else f" (confidence {incident['confidence']:.2f})"
    click.echo(f"{incident['id']}  {incident['status']}, {incident['severity']}: {one_line(incident['title'])}")
    click.echo(f"onset {utc(incident['onset'])}, opened {utc(incident['opened'])}, updated {utc(incident['updated'])}")
    click.echo(f"services: {one_line(', '.join(incident['services']))}")
    click.echo(f"verdict: {incident['verdict'] or 'not ranked yet'}{confidence}\n")
    print_suspects(incident["suspects"])
    click.echo()
    print_table(("time", "event", "by", "detail"), [list(event.values()) for event in incident["events"]])


def print_suspects(suspects: list[dict[str, Any]], evidence: int = 3) -> None:
    """Print ranked suspects, each with its first `evidence` sentences of evidence."""
    from faultline.cli._output import print_table

    rows = [
        (
            suspect["rank"],
            suspect["service"],
            suspect["role"],
            f"{suspect['share']:.0%}",
            suspect["signal"],
            "; ".join(item["text"] for item in suspect["evidence"][:evidence]),
        )
        for suspect in suspects
    ]
    print_table(("rank", "service", "role", "share", "signal", "evidence"), rows)
