"""What it means that a template with its parameters gives a text back."""

from collections.abc import Sequence

from telemetry import WILDCARD

_TO_BLANK = str.maketrans("\t\n\r\x0b\x0c", "     ")


def fill(template: str, params: Sequence[str]) -> str:
    """Return the template with its wildcards replaced by `params`, in order."""
    pieces = template.split(WILDCARD)
    return "".join(piece + value for piece, value in zip(pieces, [*params, ""], strict=True))


def same_but_blanks(one: str, other: str) -> bool:
    """Return whether two texts are equal up to the length and kind of blanks between words."""
    return _collapse(one) == _collapse(other)


def _collapse(text: str) -> str:
    return " ".join(word for word in text.translate(_TO_BLANK).split(" ") if word)
