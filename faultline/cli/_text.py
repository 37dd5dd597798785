"""Text that came from outside, made safe for a terminal. Log text is hostile until shown otherwise."""

import re

# C0 and C1 controls, and the marks that reorder what is displayed: with them a log line could forge output.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """Return `text` with control characters shown as escapes; line feeds and tabs stay."""
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    """Return `text` on one line, safe for a terminal."""
    return visible(" ".join(text.split()))
