"""Templates and their edits by people: drafted, previewed, then stored. The command line and the dashboard call this.

`merge`, `split`, `constant`, `parameter`, `rename` and `undo` draft an edit and say in one line (UsageError) why it
cannot be. `preview` shows what it would change; `Store.append_edit` stores it, unless somebody edited meanwhile.
"""

# ruff: noqa: S608 - what is formatted into SQL are constants of this module

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from telemetry import WILDCARD, UsageError, format_id, parse_id

if TYPE_CHECKING:
    from storage import Edit, Reader, Store

MOST_VALUES = 100
"""A parameter with more values than this is not split value by value: that many templates help nobody."""
MOST_TEXT = 2000
"""Characters of a name or a reason."""

_PRESENT = (
    'SELECT template_id, any_value(template) AS template, sum("count")::BIGINT AS count FROM templates GROUP BY 1'
)
# A split id is no longer a template if rows with every value went elsewhere; then it stands for all it was split into.
_BECAME = """SELECT DISTINCT to_id FROM lineage_map WHERE from_id = ?
    UNION SELECT DISTINCT to_id FROM lineage_routes WHERE from_id = ? ORDER BY 1"""


@dataclass(frozen=True)
class Author:
    """Who edits, and why."""

    name: str
    reason: str = ""


@dataclass(frozen=True)
class Preview:
    """What an edit changes: the templates that lose or gain rows, before and after, as (id, text, count).

    `rows`: stored records that go to another template. `lapsed`: earlier edits that would no longer have any effect.
    """

    edit: "Edit"
    before: list[tuple[int, str, int]]
    after: list[tuple[int, str, int]]
    rows: int
    lapsed: list[int]


def find(reader: "Reader", given: str) -> list[dict[str, Any]]:
    """Return what a template id (or its first digits) is today: rows of template_id, template, count.

    An id that became another gives that one, one that was split all its parts. Raises UsageError if `given` is no id,
    is not known or could be several.
    """
    try:
        parse_id(given)
    except ValueError:
        raise UsageError(f"{given!r} is not a template id: want up to 16 hex digits") from None
    ids = _matching(reader, given.lower())
    if len(ids) != 1:
        known = ", ".join(format_id(id) for id in ids[:9]) or "none; `faultline templates list` shows those there are"
        raise UsageError(f"{given} must name one template; it matches {known}")
    ends = {row["to_id"] for row in reader.query(_BECAME, (ids[0], ids[0])).to_pylist()} or {ids[0]}
    rows = reader.query(f"SELECT * FROM ({_PRESENT}) WHERE list_contains(?, template_id) ORDER BY 1", (sorted(ends),))
    found: list[dict[str, Any]] = rows.to_pylist()
    return found


def _matching(reader: "Reader", prefix: str) -> list[int]:
    """Return the ids there are or were that begin with these digits; the templates of today win."""
    hex_id = "starts_with(lpad(lower(to_hex(id)), 16, '0'), ?)"
    for ids in (
        "SELECT template_id AS id FROM templates",
        "SELECT from_id AS id FROM lineage_map UNION SELECT template_id FROM raw_templates",
    ):
        rows = reader.query(f"SELECT DISTINCT id FROM ({ids}) WHERE {hex_id} ORDER BY 1 LIMIT 10", (prefix,))
        found: list[int] = rows["id"].to_pylist()
        if found:
            return found
    return []


def one(reader: "Reader", given: str) -> tuple[int, str]:
    """Return id and text of the one template that an id is today. Raises UsageError if it is none, or several."""
    found = find(reader, given)
    if len(found) != 1:
        parts = ", ".join(format_id(row["template_id"]) for row in found) or "nothing that is left"
        raise UsageError(f"template {given} has been split into {parts}: name one of them")
    return found[0]["template_id"], found[0]["template"]


def values(reader: "Reader", template_id: int, param: int, limit: int = MOST_VALUES) -> list[tuple[str, int]]:
    """Return the values of a parameter (counted from 0) and how many stored records have each, most frequent first."""
    sql = """SELECT params[?] AS value, count(*) AS n FROM logs WHERE template_id = ?
             GROUP BY 1 ORDER BY n DESC, value LIMIT ?"""
    return [(row["value"], row["n"]) for row in reader.query(sql, (param + 1, template_id, limit)).to_pylist()]


def merge(reader: "Reader", ids: Sequence[str], by: Author) -> "Edit":
    """Draft: these templates are one."""
    from storage import generalised

    found = dict(one(reader, id) for id in ids)
    if len(found) < 2:
        raise UsageError(f"want two templates or more to merge, got {len(found)} (some may be one already)")
    _check_says_something(generalised(found.values()), "the templates have no word in common")
    return _draft(reader, by, kind="merge", template_ids=tuple(found), templates=tuple(found.values()))


def split(reader: "Reader", id: str, param: int, chosen: Sequence[str], by: Author) -> "Edit":
    """Draft: records with each of these values of a parameter (counted from 1) are templates of their own."""
    template_id, text = one(reader, id)
    _check_param(text, param)
    there = dict(values(reader, template_id, param - 1))
    for value in chosen:
        _check_value(value)
        if value not in there and len(there) < MOST_VALUES:
            some = ", ".join(repr(one) for one in list(there)[:5])
            raise UsageError(f"parameter {param} of {format_id(template_id)} is never {value!r}; it is {some}")
    if not chosen or len(chosen) > MOST_VALUES:
        raise UsageError(f"want 1 to {MOST_VALUES} values to split by, got {len(chosen)}")
    return _draft(
        reader,
        by,
        kind="split",
        template_ids=(template_id,),
        templates=(text,),
        param=param - 1,
        values=tuple(dict.fromkeys(chosen)),
    )


def constant(reader: "Reader", id: str, param: int, by: Author) -> "Edit":
    """Draft: what was taken for a parameter (counted from 1) is none; each value makes a template, now and later."""
    template_id, text = one(reader, id)
    _check_param(text, param)
    there = values(reader, template_id, param - 1, MOST_VALUES + 1)
    if len(there) > MOST_VALUES:
        raise UsageError(
            f"parameter {param} of {format_id(template_id)} has more than {MOST_VALUES} values: split off those that "
            "matter"
        )
    for value, _ in there:
        _check_value(value)
    return _draft(reader, by, kind="constant", template_ids=(template_id,), templates=(text,), param=param - 1)


def parameter(reader: "Reader", id: str, numbers: Sequence[int], by: Author) -> "Edit":
    """Draft: words of a template (counted from 1, as `words` does) are values; so are others in their place."""
    from storage import tidy, words

    template_id, text = one(reader, id)
    spans = words(text)
    for number in numbers:
        if not 1 <= number <= len(spans):
            raise UsageError(f"{format_id(template_id)} has no word {number}: want 1 to {len(spans)}")
    new = text
    for number in sorted(set(numbers), reverse=True):
        begin, end = spans[number - 1]
        new = new[:begin] + WILDCARD + new[end:]
    new = tidy(new)
    if new == text:
        raise UsageError(f"these words of {format_id(template_id)} are parameters already: {text}")
    _check_says_something(new, "no constant word would be left")
    return _draft(reader, by, kind="parameter", template_ids=(template_id,), templates=(text,), text=new)


def rename(reader: "Reader", id: str, name: str, by: Author) -> "Edit":
    """Draft: the template is called otherwise. The name has as many `<*>`, which stand for what they stood for."""
    from storage import tidy

    template_id, text = one(reader, id)
    name = tidy(name)
    _check_length("the name", name)
    if name.count(WILDCARD) != text.count(WILDCARD):
        raise UsageError(f"the name has {name.count(WILDCARD)} `<*>`; want {text.count(WILDCARD)}, as in: {text}")
    _check_says_something(name, "the name has no word")
    taken = reader.query("SELECT DISTINCT template_id FROM templates WHERE template = ?", (name,))
    if taken.num_rows:
        raise UsageError(f"{format_id(taken['template_id'][0].as_py())} is called so already: merge them, or choose")
    return _draft(reader, by, kind="rename", template_ids=(template_id,), templates=(text,), text=name)


def undo(reader: "Reader", seq: int, by: Author) -> "Edit":
    """Draft: edit `seq` is taken back; undoing an undo puts the edit in force again."""
    edits = {edit.seq: edit for edit in reader.edits()[0]}
    if seq not in edits:
        raise UsageError(f"there is no edit {seq}; there are {f'1 to {max(edits)}' if edits else 'none'}")
    if seq in undone(edits.values()):
        raise UsageError(f"edit {seq} has been undone already")
    return _draft(reader, by, kind="undo", undoes=seq)


def undone(edits: Iterable["Edit"]) -> set[int]:
    """Return the numbers of the edits and undos that are taken back."""
    gone: set[int] = set()
    for edit in sorted(edits, key=lambda edit: -edit.seq):
        if edit.undoes is not None and edit.seq not in gone:
            gone.add(edit.undoes)
    return gone


def preview(store: "Store", edit: "Edit") -> Preview:
    """Return what storing the edit would change. Raises StoreError, QueryError."""
    with store.reader() as now, store.reader(preview=edit) as then:
        before, after = ({row["template_id"]: row for row in r.query(_PRESENT).to_pylist()} for r in (now, then))
        lapsed = then.edits()[1].lapsed - now.edits()[1].lapsed
    changed = [id for id in sorted(before.keys() | after.keys()) if before.get(id) != after.get(id)]
    lost = [before[id]["count"] - (after[id]["count"] if id in after else 0) for id in changed if id in before]
    rows = sum(max(0, count) for count in lost)
    return Preview(edit, _listed(before, changed), _listed(after, changed), rows, sorted(lapsed))


def _listed(templates: dict[int, dict[str, Any]], ids: Iterable[int]) -> list[tuple[int, str, int]]:
    return [(id, templates[id]["template"], templates[id]["count"]) for id in ids if id in templates]


def describe(edit: "Edit") -> str:
    """Return in one sentence what an edit says."""
    names = ", ".join(format_id(id) for id in edit.template_ids)
    chosen = ", ".join(repr(value) for value in edit.values)
    return {
        "merge": f"{names} are one template",
        "split": f"parameter {(edit.param or 0) + 1} of {names} splits off {chosen}",
        "constant": f"parameter {(edit.param or 0) + 1} of {names} is none",
        "parameter": f"{names} is: {edit.text}",
        "rename": f"{names} is called: {edit.text}",
        "undo": f"undoes {edit.undoes}",
    }[edit.kind]


def _draft(reader: "Reader", by: Author, **what: Any) -> "Edit":
    from storage import Edit

    _check_length("the reason", by.reason)
    last = max((edit.seq for edit in reader.edits()[0]), default=0)
    return Edit(last + 1, datetime.now(UTC), by.name or "unknown", by.reason, **what)


def _check_param(text: str, param: int) -> None:
    if not 1 <= param <= text.count(WILDCARD):
        raise UsageError(f"there is no parameter {param}: the template has {text.count(WILDCARD)}: {text}")


def _check_value(value: str) -> None:
    if WILDCARD in value:
        raise UsageError(f"the value {value!r} holds {WILDCARD}, which stands for a parameter in templates")


def _check_says_something(text: str, otherwise: str) -> None:
    if not any(letter.isalnum() for letter in text.replace(WILDCARD, "")):
        raise UsageError(f"the template would be {text!r}: {otherwise}")


def _check_length(what: str, text: str) -> None:
    if len(text) > MOST_TEXT:
        raise UsageError(f"{what} has {len(text)} characters; want at most {MOST_TEXT}")
