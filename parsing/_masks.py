"""From a message to the words its template is learnt from: parameters masked, one generic set of rules for all."""

import re
from collections.abc import Sequence

import re2

from telemetry import WILDCARD, SettingsError

TOKEN = re.compile(r"[A-Za-z0-9_\-./@#$%&*+\\~^\u0080-\U0010ffff]+|[\t-\r ]+|[^A-Za-z0-9\t-\r ]")
"""Words, runs of blanks, and single other characters: the same division as `_kernels.fingerprint` makes."""
_TOKEN_CAP = 512
_DIGIT = re.compile(r"[0-9]")
_BLANKS = " \t\n\r\x0b\x0c"

# Wildcards with nothing but joining punctuation between them are one parameter.
_GLUED = re.compile(r"<\*>(?:[.,:/#@=+|_-]?<\*>)+")
_LISTED = re.compile(r"<\*>(?:(?:, ?| )<\*>){2,}")


def compile_masks(patterns: Sequence[str]) -> list["re2._Regexp"]:
    """Compile users' masks on RE2 (linear time). Raises SettingsError for one that RE2 refuses."""
    compiled = []
    for pattern in patterns:
        try:
            compiled.append(re2.compile(pattern))
        except re2.error as why:
            reason = why.args[0].decode() if isinstance(why.args[0], bytes) else why.args[0]
            raise SettingsError(f"mask {pattern!r} is not a regular expression RE2 accepts: {reason}") from None
    return compiled


def mask(message: str, masks: Sequence["re2._Regexp"] = ()) -> str:
    """Return the message with single blanks between words and `<*>` for every word that holds a digit.

    Text after the 512th word or punctuation mark is one more `<*>`.
    """
    for pattern in masks:
        message = pattern.sub(WILDCARD, message)
    parts: list[str] = []
    words = 0
    for token in TOKEN.findall(message):
        if token[0] in _BLANKS:
            parts.append(" ")
            continue
        if words >= _TOKEN_CAP:
            parts.append(WILDCARD)
            break
        words += 1
        parts.append(WILDCARD if _DIGIT.search(token) else token)
    return "".join(parts).strip(_BLANKS)


def normalise(template: str) -> str:
    """Return the template as it is shown and hashed: touching wildcards are one."""
    return _GLUED.sub(WILDCARD, template)
