"""What a place in a template is, by what stands around it: a value, a label, or a word like any other."""

from collections.abc import Sequence
from dataclasses import dataclass

from parsing._masks import NAMING, Remembered, is_word

_FUNCTION_WORDS = frozenset(
    (
        *("and", "are", "as", "at", "be", "been", "by", "for", "from", "had", "has", "have", "in", "into", "is", "its"),
        *("no", "not", "of", "on", "or", "than", "that", "the", "this", "to", "via", "was", "were", "will", "with"),
    )
)
_FIXED = NAMING | _FUNCTION_WORDS
_LEFT = frozenset({"for", "by", "from", "via"})
_RIGHT = frozenset({"from", "to", "by", "on", "at", "via", "in", "with"})
_QUOTES = frozenset("\"'`")
_KEYED = frozenset("(={")
_CLOSING = frozenset(",;)}]")
_ARROW = (" ", "-", ">", " ")

Tokens = tuple[str, ...]


def skeleton(tokens: Sequence[str]) -> Tokens:
    """Return the tokens with "" for those that have a place of their own, as opposed to being part of the skeleton."""
    shape = tuple(map(_hole, tokens))
    return shape if NAMING.isdisjoint(tokens) else _with_named(tokens, list(shape))


def _with_named(tokens: Sequence[str], shape: list[str]) -> Tokens:
    """Return the skeleton where names may read like what they name: a user called "user"."""
    for i in range(2, len(tokens)):
        if tokens[i] in NAMING and tokens[i - 1] == " " and tokens[i - 2] in NAMING:
            shape[i] = tokens[i] if shape[i - 2] == "" else ""
    return tuple(shape)


def _left_open(token: str) -> str:
    """Return a token as a skeleton has it."""
    return "" if token not in _FIXED and (token.isalpha() or is_word(token)) else token


_hole = Remembered(_left_open).__getitem__


@dataclass(frozen=True)
class Places:
    """The places of a skeleton, counted from 0: those that hold values, those that name what follows, after a colon
    (`labels`) or like keys and functions do (`keys`); and how many words are part of the skeleton (`fixed`)."""

    values: frozenset[int]
    labels: frozenset[int]
    keys: frozenset[int]
    fixed: int

    @classmethod
    def of(cls, shape: Tokens) -> "Places":
        """Return the places of a skeleton: tokens, "" where a word stands."""
        shape = (*shape, "\n", "\n")
        holes = [i for i, token in enumerate(shape) if token == ""]
        after = [shape[i + 2] if shape[i + 1] == " " else shape[i + 1] for i in holes]
        values = {place for place, i in enumerate(holes) if _is_value(shape, i)}
        pairs = {place for place, i in enumerate(holes) if _is_paired(shape, i)}
        if len(pairs) > 1:
            values |= pairs
        fixed = sum(token in _FIXED for token in shape)
        if len(values) == len(holes) and not fixed:
            values = set()
        labels = frozenset(place for place, mark in enumerate(after) if mark == ":")
        keys = frozenset(place for place, mark in enumerate(after) if mark in _KEYED)
        return cls(frozenset(values), labels, keys, fixed)


def _is_value(shape: Tokens, i: int) -> bool:
    """Return whether the word at `i` is a value: after `=`, `word:` or the name of a kind of thing, beside `@` or `->`,
    between two prepositions, or in quotes (unless it is a key)."""
    before, earlier = shape[i - 1] if i else "\n", shape[i - 2] if i > 1 else "\n"
    after, later = shape[i + 1], shape[i + 2]
    if before == "=" or (before == ":" and earlier == "") or "@" in (before, after):
        return True
    if before in _QUOTES:
        return before == after and later not in (":", "=")
    if before != " ":
        return False
    if earlier in NAMING or (after == " " and earlier in _LEFT and later in _RIGHT):
        return True
    return _ARROW in (shape[i + 1 : i + 5], shape[max(0, i - 4) : i])


def _is_paired(shape: Tokens, i: int) -> bool:
    """Return whether the word at `i` is the only one after `label: `, as in a list of such pairs."""
    return i > 2 and shape[i - 2 : i] == (":", " ") and shape[i - 3] in ("", *_QUOTES) and _closes(shape[i + 1])


def _closes(mark: str) -> bool:
    return mark == "\n" or mark in _CLOSING
