"""`faultline templates`: list, show, search, export; and the edits, each shown first and stored with `--apply`."""

# ruff: noqa: S608 - what is formatted into SQL are constants of this module

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faultline.cli._options import json_option, store_option

if TYPE_CHECKING:
    from faultline.templates import Author
    from storage import Edit, Reader

_COLUMNS = "template_id, service, count, first_seen, last_seen, template, example"
_LIST = f"""SELECT {_COLUMNS} FROM templates WHERE (? IS NULL OR service = ?) AND contains(lower(template), lower(?))
ORDER BY count DESC, service, template LIMIT ?"""
_SHOW = f"SELECT {_COLUMNS} FROM templates WHERE template_id = ? ORDER BY count DESC, service"
# What led to a template: the stored ids that are read as it, and the rules that the parser learnt of them.
_FROM = "SELECT from_id FROM lineage_map WHERE to_id = ? UNION SELECT from_id FROM lineage_routes WHERE to_id = ?"
_LEARNT = f"""WITH texts AS (SELECT template_id, min(template) AS template FROM raw_templates GROUP BY 1)
SELECT min(time) AS time, from_id, to_id, before.template AS before, after.template AS after
FROM raw_lineage JOIN texts before ON before.template_id = from_id JOIN texts after ON after.template_id = to_id
WHERE from_id IN ({_FROM}) GROUP BY ALL ORDER BY time, from_id LIMIT 100"""


@click.group()
def templates() -> None:
    """List and search log templates, and edit them: merge, split, rename, undo.

    An edit is shown first: which templates there would be, and how many records change theirs. Add --apply to store it.
    It holds for records stored before and for those that come; no record is rewritten, and `undo` takes it back.

    \b
    Examples:
      faultline templates list --service cart
      faultline templates merge 3f9c 41d0 --apply --reason "one event"
      faultline templates split 3f9c --param 2 --value refused
      faultline templates undo 4 --apply
    """


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    command = click.option("--service", metavar="NAME", help="Only this service's.")(command)
    command = click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Most to list.")(
        command
    )
    return json_option(store_option(command))  # type: ignore[no-any-return]


def _editing(command: Callable[..., None]) -> Callable[..., None]:
    command = click.option("--apply", "stored", is_flag=True, help="Store the edit; else it is only shown.")(command)
    command = click.option("--reason", metavar="TEXT", default="", help="Why; kept with the edit.")(command)
    command = click.option("--by", metavar="NAME", help="Who; by default the user of this machine.")(command)
    return json_option(store_option(command))  # type: ignore[no-any-return]


@templates.command("list")
@_filters
def list_templates(store: str | None, as_json: bool, service: str | None, limit: int) -> None:
    """List templates, most records first.

    \b
    Example:
      faultline templates list --limit 10
    """
    _print_list(store, as_json, service, "", limit)


@templates.command()
@click.argument("text")
@_filters
def search(text: str, store: str | None, as_json: bool, service: str | None, limit: int) -> None:
    """List templates that hold TEXT; case does not matter.

    \b
    Example:
      faultline templates search "timed out" --json
    """
    _print_list(store, as_json, service, text, limit)


def _print_list(store: str | None, as_json: bool, service: str | None, text: str, limit: int) -> None:
    from faultline.cli._files import records
    from faultline.cli._output import print_json, print_records
    from faultline.cli._store import existing_store

    with existing_store(store).reader() as reader:
        found = records(reader.query(_LIST, (service, service, text, limit)))
    if as_json:
        print_json(found)
        return
    columns = ("template_id", "service", "count", "first_seen", "last_seen", "template")
    print_records(found, columns)


@templates.command()
@click.argument("template_id", metavar="ID")
@store_option
@json_option
def show(template_id: str, store: str | None, as_json: bool) -> None:
    """Show one template: its words and parameters, and what became what.

    The first digits of its id are enough. An old id shows the template it became.

    \b
    Example:
      faultline templates show 3f9c
    """
    from faultline.cli._output import print_json
    from faultline.cli._store import existing_store
    from faultline.templates import find

    with existing_store(store).reader() as reader:
        found = [_load(reader, row["template_id"]) for row in find(reader, template_id)]
    if as_json:
        print_json(found)
        return
    for one in found:
        _print(one, template_id)


def _load(reader: "Reader", template_id: int) -> dict[str, Any]:
    from faultline.cli._files import records
    from faultline.templates import values
    from storage import in_force
    from telemetry import WILDCARD, format_id

    services = records(reader.query(_SHOW, (template_id,)))
    learnt = reader.query(_LEARNT, (template_id, template_id))
    text = services[0]["template"]
    ids = {template_id, *reader.query(_FROM, (template_id, template_id))["from_id"].to_pylist()}
    edits = [e for e in in_force(reader.edits()[0]) if ids & set(e.template_ids) or text in (e.text, *e.templates)]
    return {
        "template_id": format_id(template_id),
        "template": text,
        "count": sum(row["count"] for row in services),
        "first_seen": min(row["first_seen"] for row in services),
        "last_seen": max(row["last_seen"] for row in services),
        "example": services[0]["example"],
        "services": {row["service"]: row["count"] for row in services},
        "params": [
            [{"value": value, "count": count} for value, count in values(reader, template_id, param, 5)]
            for param in range(text.count(WILDCARD))
        ],
        "learnt": records(learnt),
        "edits": [_as_dict(edit) for edit in edits],
    }


def _print(found: dict[str, Any], asked: str) -> None:
    from faultline.cli._output import utc
    from faultline.cli._text import one_line
    from storage import words

    if not found["template_id"].startswith(asked.lower()):
        click.echo(f"{asked} became {found['template_id']}")
    click.echo(f"{found['template_id']}  {one_line(found['template'])}")
    click.echo(f"{found['count']} records, {utc(found['first_seen'])} to {utc(found['last_seen'])}")
    click.echo("services: " + one_line(", ".join(f"{name} {count}" for name, count in found["services"].items())))
    click.echo(f"example: {one_line(found['example'])}")
    text = found["template"]
    click.echo("words: " + one_line("  ".join(f"{n}:{text[a:b]}" for n, (a, b) in enumerate(words(text), 1))))
    for number, seen in enumerate(found["params"], 1):
        shown = ", ".join(f"{one['value']!r} ({one['count']})" for one in seen)
        click.echo(f"parameter {number}: {one_line(shown)}")
    for rule in found["learnt"]:
        click.echo(f"{utc(rule['time'])} learnt: {rule['from_id']} became {rule['to_id']}: {one_line(rule['after'])}")
    for edit in found["edits"]:
        click.echo(f"{utc(edit['time'])} edit {edit['seq']} by {one_line(edit['actor'])}: {one_line(edit['says'])}")


@templates.command()
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@store_option
def export(out: Path, store: str | None) -> None:
    """Write all templates to a file: .csv, .jsonl or .parquet.

    In CSV no text can be taken for a formula by a spreadsheet.

    \b
    Example:
      faultline templates export templates.csv
    """
    from faultline.cli._files import table_file
    from faultline.cli._store import existing_store

    with existing_store(store).reader() as reader:
        found = reader.query(f"SELECT {_COLUMNS} FROM templates ORDER BY service, template, template_id")
    with table_file(out, found.schema) as file:
        file.write(found)
    click.echo(f"{len(found)} templates written to {out}", err=True)


@templates.command()
@click.argument("ids", metavar="ID ID...", nargs=-1, required=True)
@_editing
def merge(ids: tuple[str, ...], **options: Any) -> None:
    """These templates are one: keep what they share, the rest becomes parameters.

    \b
    Example:
      faultline templates merge 3f9c 41d0 --apply --reason "one event"
    """
    from faultline.templates import merge

    _edit(lambda reader, by: merge(reader, ids, by), **options)


@templates.command()
@click.argument("template_id", metavar="ID")
@click.option("--param", type=click.IntRange(1), required=True, help="Which `<*>`, counted from 1.")
@click.option("--value", "values", metavar="TEXT", multiple=True, help="A value that gets a template of its own.")
@click.option("--all", "every", is_flag=True, help="Every value: this is no parameter, now and later.")
@_editing
def split(template_id: str, param: int, values: tuple[str, ...], every: bool, **options: Any) -> None:
    """This template is several, told apart by the value of a parameter.

    \b
    Examples:
      faultline templates split 3f9c --param 2 --value refused --value reset
      faultline templates split 3f9c --param 1 --all --apply
    """
    from faultline.templates import constant, split

    if every == bool(values):
        raise click.UsageError("want either --value (several times if need be) or --all")
    if every:
        _edit(lambda reader, by: constant(reader, template_id, param, by), **options)
    else:
        _edit(lambda reader, by: split(reader, template_id, param, values, by), **options)


@templates.command()
@click.argument("template_id", metavar="ID")
@click.argument("numbers", metavar="WORD...", type=click.IntRange(1), nargs=-1, required=True)
@_editing
def parameter(template_id: str, numbers: tuple[int, ...], **options: Any) -> None:
    """Words of this template are parameters; `show` numbers the words.

    Templates that say the same with other words there join it, those to come as well. `split --all` says the opposite.

    \b
    Example:
      faultline templates parameter 3f9c 4
    """
    from faultline.templates import parameter

    _edit(lambda reader, by: parameter(reader, template_id, numbers, by), **options)


@templates.command()
@click.argument("template_id", metavar="ID")
@click.argument("name")
@_editing
def rename(template_id: str, name: str, **options: Any) -> None:
    """Call this template NAME, which has as many `<*>`.

    \b
    Example:
      faultline templates rename 3f9c "payment refused for <*>" --apply
    """
    from faultline.templates import rename

    _edit(lambda reader, by: rename(reader, template_id, name, by), **options)


@templates.command()
@click.argument("seq", metavar="[EDIT]", type=click.IntRange(1), required=False)
@_editing
def undo(seq: int | None, **options: Any) -> None:
    """Take an edit back; without EDIT list all edits with their numbers.

    Undoing an undo puts the edit in force again.

    \b
    Examples:
      faultline templates undo
      faultline templates undo 4 --apply
    """
    from faultline.templates import undo

    if seq is None:
        _print_edits(options["store"], options["as_json"])
    else:
        _edit(lambda reader, by: undo(reader, seq, by), **options)


def _print_edits(store: str | None, as_json: bool) -> None:
    from faultline.cli._output import print_json, print_records
    from faultline.cli._store import existing_store
    from faultline.templates import undone

    with existing_store(store).reader() as reader:
        edits, meaning = reader.edits()
    gone = undone(edits)
    rows = [
        _as_dict(edit)
        | {"status": "undone" if edit.seq in gone else "no effect" if edit.seq in meaning.lapsed else "in force"}
        for edit in edits
    ]
    if as_json:
        print_json(rows)
        return
    columns = ("seq", "time", "actor", "says", "reason", "status")
    print_records(rows, columns)


def _edit(
    draft: "Callable[[Reader, Author], Edit]",
    *,
    store: str | None,
    as_json: bool,
    stored: bool,
    reason: str,
    by: str | None,
) -> None:
    """Draft an edit, show what it changes, and store it if that is wanted."""
    from faultline.cli._output import print_json
    from faultline.cli._store import existing_store
    from faultline.templates import Author, preview

    place = existing_store(store)
    with place.reader() as reader:
        edit = draft(reader, Author(by or _user(), reason))
    shown = preview(place, edit)
    if stored:
        place.append_edit(edit)
    before, after = (
        [{"template_id": f"{id:016x}", "template": text, "count": count} for id, text, count in rows]
        for rows in (shown.before, shown.after)
    )
    if as_json:
        what = {"rows": shown.rows, "before": before, "after": after, "lapsed": shown.lapsed}
        print_json({"applied": stored, "edit": _as_dict(edit), **what})
        return
    _print_preview(shown.rows, before, after, shown.lapsed)
    done = f"stored as edit {edit.seq}; `faultline templates undo {edit.seq} --apply` takes it back"
    click.echo(done if stored else "nothing is stored yet: add --apply to do so")


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user nobody has named
        return "unknown"


def _print_preview(rows: int, before: list[dict[str, Any]], after: list[dict[str, Any]], lapsed: list[int]) -> None:
    from faultline.cli._output import print_table

    columns = ("", "template_id", "count", "template")
    signed = [("-", row) for row in before] + [("+", row) for row in after]
    print_table(columns, [(sign, row["template_id"], row["count"], row["template"]) for sign, row in signed])
    click.echo(f"{rows} records {'get another template' if rows != 1 else 'gets another template'}")
    if lapsed:
        click.echo(f"edits that would no longer have an effect: {', '.join(map(str, lapsed))}")


def _as_dict(edit: "Edit") -> dict[str, Any]:
    from dataclasses import asdict

    from faultline.templates import describe
    from telemetry import format_id

    return asdict(edit) | {"template_ids": [format_id(id) for id in edit.template_ids], "says": describe(edit)}
