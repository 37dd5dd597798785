"""Templates as texts: how parameters of one make up those of another, and the least general text that covers several.

Texts are compared with runs of blanks as one, so what holds here holds for messages up to white space.
"""

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from storage._lineage import Part, Recipe
from telemetry import WILDCARD

# A word of a template: what lies between blanks and the marks that separate names from values.
_WORD = re.compile(r"<\*>|(?:(?!<\*>)[^\s=:,;()\[\]{}<>\"'|])+")
_BLANKS = re.compile(r"[ \t\n\r\x0b\x0c]+")
_TOUCHING = re.compile(r"<\*>(?:<\*>)+")
# A character no text uses stands for a wildcard inside the text that is matched; private ones come first.
_MARKS = range(0xE000, 0xF8FF)


def tidy(text: str) -> str:
    """Return a template text as it is hashed: single blanks, and wildcards that touch are one."""
    return _TOUCHING.sub(WILDCARD, _collapsed(text))


def _collapsed(text: str) -> str:
    return _BLANKS.sub(" ", text).strip(" ")


def words(text: str) -> list[tuple[int, int]]:
    """Return begin and end of each word of a template; a wildcard is a word of its own."""
    return [found.span() for found in _WORD.finditer(text)]


def fill(template: str, params: Sequence[str]) -> str:
    """Return the template with its wildcards replaced by `params`, in order."""
    pieces = template.split(WILDCARD)
    return "".join(piece + value for piece, value in zip(pieces, [*params, ""], strict=True))


def identity(template: str) -> Recipe:
    """Return the recipe that leaves a template's parameters as they are."""
    return tuple(((None, place),) for place in range(template.count(WILDCARD)))


@lru_cache(maxsize=1 << 14)
def recipe(old: str, new: str) -> Recipe | None:
    """Return how parameters of `old` make up those of `new`, or None if `new` does not cover `old`."""
    if old == new:
        return identity(old)
    taken = set(old) | set(new)
    mark = next(chr(code) for code in _MARKS if chr(code) not in taken)
    captures = _captures(_collapsed(old.replace(WILDCARD, mark)), new)
    if captures is None:
        return None
    made: list[tuple[Part, ...]] = []
    index = 0
    for capture in captures:
        parts: list[Part] = []
        for place, constant in enumerate(capture.split(mark)):
            if place:
                parts.append((None, index))
                index += 1
            if constant:
                parts.append((constant, None))
        made.append(tuple(parts))
    return tuple(made)


def _captures(text: str, template: str) -> list[str] | None:
    """Return what the wildcards of `template` stand for in `text`: shortest from the left, which finds any there is."""
    first, *pieces = template.split(WILDCARD)
    if not pieces:
        return [] if text == first else None
    last = len(text) - len(pieces[-1])
    if not text.startswith(first) or not text.endswith(pieces[-1]) or last < len(first):
        return None
    captures, at = [], len(first)
    for piece in pieces[:-1]:
        found = text.find(piece, at, last)
        if found < 0:
            return None
        captures.append(text[at:found])
        at = found + len(piece)
    return [*captures, text[at:last]]


def generalised(texts: Iterable[str]) -> str:
    """Return a template that covers all of `texts`, keeping what they share; the order of the texts does not matter."""
    first, *others = sorted(set(texts))
    for other in others:
        first = _cover(first, other)
    return first


def _cover(one: str, other: str) -> str:
    if recipe(other, one) is not None:
        return one
    if recipe(one, other) is not None:
        return other
    a, b = one.split(" "), other.split(" ")
    kept: list[str] = []
    swallow = False  # the next word goes into the wildcard before it: there is none to swallow on the left
    for tag, i, i_end, j, j_end in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            kept += a[i + swallow : i_end]
            swallow = False
        elif i_end - i == j_end - j:
            kept += [_cover_word(x, y) for x, y in zip(a[i:i_end], b[j:j_end], strict=True)]
        elif i == i_end or j == j_end:  # words that only one has: a neighbour goes into the wildcard with them
            swallow = not kept
            kept[-1:] = [WILDCARD]
        else:
            kept.append(WILDCARD)
    text = tidy(" ".join(kept))
    return text if recipe(one, text) is not None and recipe(other, text) is not None else WILDCARD


def _cover_word(one: str, other: str) -> str:
    """Return what covers two words; parts around the same separators are kept where they are equal."""
    if _WORD.split(one) != _WORD.split(other):
        return WILDCARD
    values = (x if x == y else WILDCARD for x, y in zip(_WORD.findall(one), _WORD.findall(other), strict=True))
    return _WORD.sub(lambda _: next(values), one)
