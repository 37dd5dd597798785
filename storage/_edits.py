"""Edits of templates by people: what they are, and what stored ids mean once they are applied.

The three kinds of feedback are those of Wang et al., "Interactive Log Parsing via Light-weight User Feedback" (WWW
2023): these templates are one (merge), this one is several (split), this word is or is not a parameter; and renaming.

Learning goes on as if there were no edits: the parser's ids stay what they are, and edits are applied to them when
they are read. So an edit holds for the past, undoing it leaves no trace, and nothing depends on when a worker saw it.
An edit names its templates as they were called when it was made; where they have generalised since, it holds for what
they became. Edits apply in order, after what was learnt: the newest wins.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from storage._lineage import Part, Recipe, Rule, compose
from storage._templates import fill, generalised, identity, recipe, tidy
from telemetry import WILDCARD, template_id

KINDS = ("merge", "split", "constant", "parameter", "rename", "undo")
Run = tuple[Part, ...]
"""One value, made of constants and parameters."""


@dataclass(frozen=True)
class Edit:
    """A row of the table `edits`."""

    seq: int
    time: datetime
    actor: str
    reason: str
    kind: str
    template_ids: tuple[int, ...] = ()
    templates: tuple[str, ...] = ()
    param: int | None = None
    values: tuple[str, ...] = ()
    text: str | None = None
    undoes: int | None = None


def in_force(edits: Iterable[Edit]) -> list[Edit]:
    """Return the edits that no undo took back, oldest first, without the undos; an undo can be undone too."""
    undone: set[int] = set()
    kept = []
    for edit in sorted(edits, key=lambda edit: -edit.seq):
        if edit.seq in undone:
            continue
        if edit.undoes is not None:
            undone.add(edit.undoes)
        else:
            kept.append(edit)
    return kept[::-1]


@dataclass(frozen=True)
class _Condition:
    """The value of `run` is one of `values`, or with `inside` false none of them."""

    run: Run
    values: frozenset[str]
    inside: bool

    def holds(self, value: str | None) -> bool:
        return (value in self.values) == self.inside


@dataclass(frozen=True)
class _Source:
    """Rows of the learnt template `end` that meet all conditions."""

    end: int
    when: tuple[_Condition, ...]
    recipe: Recipe


@dataclass
class _Group:
    """A template as it is now, and where its rows come from."""

    id: int
    text: str
    sources: list[_Source]


@dataclass(frozen=True)
class Split:
    """Rows of the stored id `from_id` go to several templates by the values of `runs`.

    `known[i]` are the values of runs[i] that make a difference.
    """

    from_id: int
    runs: tuple[Run, ...]
    known: tuple[frozenset[str], ...]
    _routes: tuple[tuple[tuple[_Condition, ...], Rule], ...]

    @property
    def ends(self) -> set[int]:
        """The templates that rows may go to."""
        return {rule.to_id for _, rule in self._routes}

    def route(self, values: Sequence[str | None]) -> Rule:
        """Return where rows with these values of the runs go; None stands for any value that is not known."""
        found = dict(zip(self.runs, values, strict=True))
        for when, rule in self._routes:
            if all(one.holds(_constant(one.run) if _is_constant(one.run) else found[one.run]) for one in when):
                return rule
        raise AssertionError(f"no template takes {values!r} of {self.from_id:x}")


@dataclass(frozen=True)
class Meaning:
    """What stored ids mean: one rule an id, splits of ids, texts of ids that only edits made.

    `open`: values of these (id, run) make a difference whatever they are. `lapsed`: edits in force without effect.
    """

    rules: list[Rule]
    splits: list[Split]
    texts: dict[int, str]
    open: set[tuple[int, Run]]
    lapsed: set[int]


Values = Callable[[int, Run], Iterable[str]]


def apply(texts: Mapping[int, str], learnt: Sequence[Rule], edits: Sequence[Edit], values: Values) -> Meaning:
    """Return what stored ids mean under `edits` (those in force, oldest first).

    `texts`: of all stored ids. `learnt`: one rule an id, to its end. `values`: what is known to occur as the value of
    a run of a stored id's parameters; asked for runs that turn out to be no parameters.
    """
    board = _Board(texts, {rule.from_id: rule for rule in learnt}, values)
    for edit in edits:
        if not _APPLY[edit.kind](board, edit):
            board.lapsed.add(edit.seq)
    return board.meaning()


@dataclass
class _Board:
    texts: Mapping[int, str]
    learnt: dict[int, Rule]
    values: Values
    groups: dict[int, _Group] = field(default_factory=dict)  # by id; those that an edit has looked at
    taken: set[int] = field(default_factory=set)  # learnt templates that were or are in `groups`
    moved: dict[int, int] = field(default_factory=dict)  # an id that left, and the one it became
    open: set[tuple[int, Run]] = field(default_factory=set)
    lapsed: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._before: dict[int, list[int]] = {}  # a learnt template and the stored ids that became it
        for rule in self.learnt.values():
            self._before.setdefault(rule.to_id, []).append(rule.from_id)

    def find(self, id: int) -> _Group | None:
        """Return the template that `id` is now."""
        while id not in self.groups:
            if id in self.moved:
                id = self.moved[id]
            elif id in self.learnt:
                id = self.learnt[id].to_id
            else:
                return self._take(id)
        return self.groups[id]

    def _take(self, id: int) -> _Group | None:
        if id not in self.texts or id in self.taken:
            return None
        self.taken.add(id)
        text = self.texts[id]
        self.groups[id] = _Group(id, text, [_Source(id, (), identity(text))])
        return self.groups[id]

    def untouched(self) -> list[int]:
        """Return the learnt templates that no edit has looked at."""
        return [id for id in self.texts if id not in self.learnt and id not in self.taken]

    def put(self, text: str, sources: Sequence[_Source]) -> int:
        """Add rows to the template of this text, which may be new; return its id."""
        id = template_id(text)
        if id not in self.learnt:
            self._take(id)
        self.groups.setdefault(id, _Group(id, text, [])).sources += sources
        return id

    def replace(self, groups: Sequence[_Group], new: str, recipes: Sequence[Recipe]) -> None:
        """Make one template `new` of several; recipes[i] makes its parameters from those of groups[i]."""
        sources = [
            _Source(source.end, source.when, compose(source.recipe, made))
            for group, made in zip(groups, recipes, strict=True)
            for source in group.sources
        ]
        for group in groups:
            del self.groups[group.id]
        id = self.put(new, sources)
        self.moved |= {group.id: id for group in groups if group.id != id}

    def known(self, end: int, run: Run) -> set[str]:
        """Return the values that occur for a run of the parameters of a learnt template."""
        found: set[str] = set()
        for id, learnt in self.stored(end):
            own = _joined(compose(learnt, (run,))[0])
            if _is_constant(own):
                found.add(_constant(own))
            else:
                self.open.add((id, own))
                found.update(self.values(id, own))
        return found

    def stored(self, end: int) -> list[tuple[int, Recipe]]:
        """Return the stored ids whose rows belong to a learnt template, with the recipe of its parameters."""
        own = [(end, identity(self.texts[end]))]
        return own + [(id, self.learnt[id].recipe) for id in self._before.get(end, ())]

    def meaning(self) -> Meaning:
        ends: dict[int, list[tuple[int, _Source]]] = {}
        for id, group in self.groups.items():
            for source in group.sources:
                ends.setdefault(source.end, []).append((id, source))
        rules = dict(self.learnt)
        splits = []
        for end, parts in ends.items():
            for id, learnt in self.stored(end):
                split = _split(id, learnt, parts)
                if split.runs:
                    splits.append(split)
                rules[id] = split.route([None] * len(split.runs))
        texts = {id: group.text for id, group in self.groups.items()}
        return Meaning([rules[id] for id in sorted(rules)], splits, texts, self.open, self.lapsed)


def _split(from_id: int, learnt: Recipe, parts: Sequence[tuple[int, _Source]]) -> Split:
    """Return where rows of a stored id go whose learnt template has been parted."""
    known: dict[Run, frozenset[str]] = {}
    routes = []
    for id, source in parts:
        when = [_Condition(_joined(compose(learnt, (one.run,))[0]), one.values, one.inside) for one in source.when]
        for one in when:
            if not _is_constant(one.run):
                known[one.run] = known.get(one.run, frozenset()) | one.values
        routes.append((tuple(when), Rule(from_id, id, compose(learnt, source.recipe))))
    return Split(from_id, tuple(known), tuple(known.values()), tuple(routes))


def _merge(board: _Board, edit: Edit) -> bool:
    found = {group.id: group for id in edit.template_ids if (group := board.find(id)) is not None}
    return len(found) > 1 and _unite(board, list(found.values()), generalised(one.text for one in found.values()))


def _parameter(board: _Board, edit: Edit) -> bool:
    """Make words of a template values; templates that say the same with other words there join it."""
    assert edit.text is not None
    subject = board.find(edit.template_ids[0])
    texts = {id: group.text for id, group in board.groups.items()}
    texts |= {id: board.texts[id] for id in board.untouched()}
    length = edit.text.count(" ")
    ids = [id for id, text in texts.items() if text.count(" ") == length and recipe(text, edit.text) is not None]
    groups = {id: group for id in ids if (group := board.find(id)) is not None}
    if subject is not None:
        groups[subject.id] = subject
    text = generalised([edit.text, *(group.text for group in groups.values())])
    return bool(groups) and _unite(board, list(groups.values()), text)


def _unite(board: _Board, groups: Sequence[_Group], text: str) -> bool:
    made = [recipe(group.text, text) for group in groups]
    board.replace(groups, text, [one for one in made if one is not None])
    return True


def _part(board: _Board, edit: Edit) -> bool:
    """Give some values of a parameter, or all that occur, templates of their own."""
    group = board.find(edit.template_ids[0])
    made = None if group is None else _since(edit, group)
    if group is None or made is None:
        return False
    place, wanted = _place(made, edit.param), None
    if edit.kind == "split":
        values = [_rendered(made[place], value) for value in edit.values]
        wanted = frozenset(value for value in values if value is not None)
        if not wanted:  # the parameter has become part of a longer one
            return False
    sources, group.sources = group.sources, []
    for source in sources:
        _part_source(board, group, source, place, wanted)
    return True


def _part_source(board: _Board, group: _Group, source: _Source, place: int, wanted: frozenset[str] | None) -> None:
    """Hand the rows of one source of `group` to the templates of their values, and the rest back to `group`."""
    run = _joined(source.recipe[place])
    possible = frozenset([_constant(run)]) if _is_constant(run) else None
    values = board.known(source.end, run) if wanted is None else wanted
    values = frozenset(value for value in values if WILDCARD not in value)
    values = values if possible is None else values & possible
    left = source.recipe[:place] + source.recipe[place + 1 :]
    open_ = [WILDCARD] * group.text.count(WILDCARD)
    for value in sorted(values):
        text = tidy(fill(group.text, [*open_[:place], value, *open_[place + 1 :]]))
        when = (*source.when, _Condition(run, frozenset([value]), True)) if possible is None else source.when
        board.put(text, [_Source(source.end, when, left)])
    if possible is None:
        when = (*source.when, _Condition(run, values, False)) if values else source.when
        group.sources.append(_Source(source.end, when, source.recipe))
    elif not values:
        group.sources.append(source)


def _since(edit: Edit, group: _Group) -> Recipe | None:
    """Return how the parameters an edit speaks of make up those its template has by now."""
    then = edit.templates[0]
    renamed = then.count(WILDCARD) == group.text.count(WILDCARD)
    return recipe(then, group.text) or (identity(then) if renamed else None)


def _rename(board: _Board, edit: Edit) -> bool:
    """Give a template another text with as many wildcards; what they stood for, they stand for."""
    assert edit.text is not None
    group = board.find(edit.template_ids[0])
    made = None if group is None else _since(edit, group)
    if group is None or made is None:
        return False
    places = [_place(made, param) for param in range(edit.text.count(WILDCARD))]
    board.replace([group], edit.text, [tuple(((None, place),) for place in places)])
    return True


_APPLY = {"merge": _merge, "split": _part, "constant": _part, "parameter": _parameter, "rename": _rename}


def _place(made: Recipe, param: int | None) -> int:
    """Return which parameter of a recipe's outcome holds an old one."""
    return next(place for place, run in enumerate(made) if (None, param) in run)


def _rendered(run: Run, value: str) -> str | None:
    """Return the text of a run whose one parameter has this value; None where it has several."""
    if sum(param is not None for _, param in run) != 1:
        return None
    return "".join(value if text is None else text for text, _ in run)


def _joined(run: Run) -> Run:
    """Return the run with constants side by side joined, so that equal runs are equal."""
    parts: list[Part] = []
    for text, param in run:
        if param is None and parts and parts[-1][1] is None:
            parts[-1] = ((parts[-1][0] or "") + (text or ""), None)
        else:
            parts.append((text, param))
    return tuple(part for part in parts if part != ("", None))


def _is_constant(run: Run) -> bool:
    return all(param is None for _, param in run)


def _constant(run: Run) -> str:
    return "".join(text or "" for text, _ in run)
