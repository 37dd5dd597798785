"""Template lineage: ordered rules "id A became id B", composed so that one look-up takes a stored id to its last one.

Rules are ordered by event time, then origin, which no run, batch size or worker count changes. The newest rule of an
id wins; a rule that would close a cycle with newer ones is left out. People's edits apply after them (`_edits`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Part = tuple[str | None, int | None]
"""A constant text, or the 0-based index of an old parameter."""
Recipe = tuple[tuple[Part, ...], ...]
"""New parameters from old ones: each is a run of parts to join."""


@dataclass(frozen=True)
class Rule:
    """Rows of template `from_id` now belong to `to_id`, with parameters made by `recipe`."""

    from_id: int
    to_id: int
    recipe: Recipe


def resolve(rules: Sequence[Rule]) -> list[Rule]:
    """Return one rule an id that takes it to the end of its chain; `rules` come in order, newest last."""
    chosen: dict[int, Rule] = {}
    ends: dict[int, int] = {}  # where an id's chain ends, paths shortened as they are walked
    for rule in reversed(rules):
        if rule.from_id not in chosen and _end(ends, rule.to_id) != rule.from_id:
            chosen[rule.from_id] = rule
            ends[rule.from_id] = rule.to_id
    composed: dict[int, Rule] = {}
    for start in chosen:
        for rule in reversed(_chain(chosen, composed, start)):
            onward = composed.get(rule.to_id)
            composed[rule.from_id] = rule if onward is None else _compose(rule, onward)
    return [composed[from_id] for from_id in sorted(composed)]


def _end(ends: dict[int, int], start: int) -> int:
    end = start
    while end in ends:
        end = ends[end]
    while start != end:
        ends[start], start = end, ends[start]
    return end


def _chain(chosen: dict[int, Rule], composed: dict[int, Rule], start: int) -> list[Rule]:
    """Return the rules from `start` on that are not composed yet."""
    chain = []
    while start in chosen and start not in composed:
        chain.append(chosen[start])
        start = chosen[start].to_id
    return chain


def _compose(first: Rule, second: Rule) -> Rule:
    return Rule(first.from_id, second.to_id, compose(first.recipe, second.recipe))


def compose(first: Recipe, second: Recipe) -> Recipe:
    """Return the recipe that does what `first` and then `second` do."""
    return tuple(tuple(_expand(first, parts)) for parts in second)


def _expand(recipe: Recipe, parts: Iterable[Part]) -> Iterable[Part]:
    for text, param in parts:
        if param is None:
            yield text, None
        elif 0 <= param < len(recipe):  # a rule that names a parameter its template lacks yields nothing for it
            yield from recipe[param]
