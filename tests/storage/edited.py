"""A small world of templates, rows and learnt rules, and what rows read as under edits, without any store."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from storage import Edit, Rule, fill, in_force, resolve, tidy
from storage._edits import Meaning, Run, apply
from storage._templates import recipe
from telemetry import WILDCARD, template_id

Row = tuple[str, tuple[str, ...]]
"""Template and parameters."""


@dataclass(frozen=True)
class World:
    """Templates that the parser knows, rows as it stored them, and pairs of templates of which one became the other."""

    templates: tuple[str, ...]
    rows: tuple[Row, ...]
    learnt: tuple[tuple[str, str], ...] = ()

    def meaning(self, edits: Iterable[Edit]) -> Meaning:
        """Apply edits to all that is stored."""
        texts = {template_id(text): text for text in self.templates}
        rules = [Rule(template_id(a), template_id(b), recipe(a, b) or ()) for a, b in self.learnt]
        return apply(texts, resolve(rules), in_force(edits), self._values)

    def _values(self, id: int, run: Run) -> set[str]:
        return {value(run, params) for text, params in self.rows if template_id(text) == id}

    def read(self, edits: Iterable[Edit] = ()) -> list[Row]:
        """Return the rows as views show them."""
        meaning = self.meaning(edits)
        texts = {template_id(text): text for text in self.templates} | meaning.texts
        rules = {rule.from_id: rule for rule in meaning.rules}
        splits = {split.from_id: split for split in meaning.splits}
        found = []
        for text, params in self.rows:
            rule = rules.get(template_id(text))
            if split := splits.get(template_id(text)):
                values = [value(run, params) for run in split.runs]
                rule = split.route(
                    [one if one in known else None for one, known in zip(values, split.known, strict=True)]
                )
            if rule is None:
                found.append((text, params))
            else:
                found.append((texts[rule.to_id], tuple(value(run, params) for run in rule.recipe)))
        return found


def value(run: Run, params: Sequence[str]) -> str:
    return "".join(params[param] if param is not None else text or "" for text, param in run)


def message(row: Row) -> str:
    """The message a row stands for, up to white space."""
    return tidy(fill(*row))


def edit(seq: int, kind: str, *templates: str, **more: Any) -> Edit:
    ids = tuple(template_id(text) for text in templates)
    return Edit(seq, datetime(2026, 1, 5, tzinfo=UTC), "ann", "", kind, ids, templates, **more)


_words = st.sampled_from(["cart", "open", "shut", WILDCARD, f"id={WILDCARD}", "id=cart", f"({WILDCARD})"])
templates = st.lists(_words, min_size=1, max_size=4).map(" ".join)
_params = st.sampled_from(["cart", "open", "x", "a b", "", "id=x"])


@st.composite
def worlds(draw: st.DrawFn) -> World:
    texts = draw(st.lists(templates, min_size=2, max_size=6, unique=True))
    rows = [
        (text, tuple(draw(st.lists(_params, min_size=text.count(WILDCARD), max_size=text.count(WILDCARD)))))
        for text in draw(st.lists(st.sampled_from(texts), max_size=8))
    ]
    pairs = [(a, b) for a in texts for b in texts if a != b and recipe(a, b) is not None]
    learnt = draw(st.lists(st.sampled_from(pairs), max_size=2)) if pairs else []
    return World(tuple(texts), tuple(rows), tuple(learnt))


@st.composite
def edits(draw: st.DrawFn, world: World, seq: int, before: Sequence[Edit] = (), kinds: Sequence[str] = ()) -> Edit:
    """An edit of templates as they are after `before`."""
    present = sorted({text for text, _ in world.read(before)} or set(world.templates))
    kind = draw(st.sampled_from(kinds or ["merge", "split", "constant", "parameter"]))
    text = draw(st.sampled_from(present))
    if kind == "merge":
        return edit(seq, "merge", *draw(st.lists(st.sampled_from(present), min_size=1, max_size=3, unique=True)))
    if kind == "rename":
        return edit(seq, "rename", text, text=f"named {text}")
    if kind == "parameter" or WILDCARD not in text:
        words = text.split(" ")
        words[draw(st.integers(0, len(words) - 1))] = WILDCARD
        return edit(seq, "parameter", text, text=" ".join(words))
    place = draw(st.integers(0, text.count(WILDCARD) - 1))
    values = draw(st.lists(_params, min_size=1, max_size=2, unique=True)) if kind == "split" else []
    return edit(seq, kind, text, param=place, values=tuple(values))
