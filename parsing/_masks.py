"""From a message to the tokens its template is learnt from: parameters masked, one generic set of rules for all."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from typing import TypeVar

import re2

from telemetry import WILDCARD, SettingsError

_JOINED = r"A-Za-z0-9_\-/$%*+\\~^\u0080-\U0010ffff"  # and full stops
# What stands in quotes, if it is nothing but words, is one.
_PHRASE = r"(?:(?<=^[\"'`])|(?<=[^A-Za-z0-9][\"'`]))[A-Za-z_-]+(?: [A-Za-z_-]+)+(?=[\"'`](?![A-Za-z0-9]))"
_TOKEN = re.compile(rf"<\*>|{_PHRASE}|[{_JOINED}.]+|[\t-\r ]+|[^A-Za-z0-9\t-\r ]")
_TOKEN_CAP = 512
NAMING = frozenset({"user", "User", "username", "host", "hostname", "uid", "gid", "pid"})
"""Kinds of things whose name follows."""
Made = TypeVar("Made")
_REMEMBERED = 1 << 15
_BLANKS = " \t\n\r\x0b\x0c"

_DIGIT = re.compile(r"[0-9]")
# Names with one digit in them: ssh2, utf8; log4j, jk2_init
_VERSIONED = re.compile(r"[A-Za-z]{2,}[0-9]$|(?=.{4})[A-Za-z][A-Za-z_]*[0-9][A-Za-z_]+$")
_PREFIXED = re.compile(r"((?:[A-Za-z_-]+[./]+)|\.{2,})[0-9]")
_OF = re.compile(r"([^/]*[0-9][^/]*)/([^/]*[0-9][^/]*)$")
_PERCENT = re.compile(r"[+-]?[0-9][0-9.]*%$")
_LITERAL_VALUES = frozenset({"true", "false", "null", "True", "False", "None", "nil", "NULL", "TRUE", "FALSE"})
_HOST = (
    r"(?:[A-Za-z0-9-]+\.){1,10}(?:com|net|org|edu|gov|mil|biz|info|local|internal"
    r"|cn|uk|de|jp|tw|kr|fr|nl|ru|br|au|ca|ch|se|es|pl|eu|hk|at|be|dk|fi|no|nz|za|mx|ar|tr|gr|cz|il|sg)"
)
_MAILBOX = r"[A-Za-z][A-Za-z0-9._+-]*"
_IS_HOST = re.compile(rf"{_HOST}$")
_PATH = re.compile(r"/[A-Za-z0-9_.-]|[A-Za-z][\w.-]*(?:/[\w.-]+){2,}$|~/")
_QUALIFIED = re.compile(r"[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w$-]*){2,}(?:/[\w.$-]*)?$")
_LONG_HEX = re.compile(r"[a-f]{8,}$|[A-F]{8,}$")

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*"
_DATE = re.compile(rf"\b(?:{_DAY},? )?{_MONTH} +\d{{1,2}} \d\d:\d\d:\d\d(?: [A-Z]{{3,4}})?(?: \d{{4}})?\b")
_BETWEEN = r"\s\"'`<>()\[\]{},;|"  # ends a URL or a path
_NAMES = "|".join(sorted(NAMING))
_AFTER_NAME = r"(?:from|to|by|on|at|via|in|with)\b|[\[(]"
_CLOCK = re.compile(r"(?<![\w:.])\d{1,2}:\d\d(?::\d\d)?(?:\.\d+)?(?![\w:])")
_AGO = re.compile(r"(?<!\S)<\d+ (?:sec|second|ms|min)s?\b")
_REPEATED = re.compile(r"(?<!\S)([A-Za-z][A-Za-z_]*)-?[0-9]+(?: \1-?[0-9]+)+(?!\S)")
_DIGITS = re.compile(r"\d")
_TEXT_MASKS = (  # with a text without which none can match
    ("<redacted:", re.compile(r"<redacted:[a-z_]+>"), WILDCARD),
    ("://", re.compile(rf"\b[A-Za-z][A-Za-z0-9+-]{{0,20}}://[^{_BETWEEN}]+(?<![.:])"), WILDCARD),
    ("?", re.compile(rf"(?<![^\s\"'=(\[])/[^{_BETWEEN}?]{{0,500}}\?[^{_BETWEEN}]*"), WILDCARD),
    ("\\", re.compile(rf"(?<![\w\\])(?:[A-Za-z]:)?\\[\w?\\](?:[^{_BETWEEN}:]| (?=[^\s\\:]+\\))*(?<!\.)"), WILDCARD),
    (":", re.compile(r"\b(?:[0-9A-Fa-f]{2}:){3,}[0-9A-Fa-f]{2}\b"), WILDCARD),
    (":", _DATE, "<*>:<*>:<*>"),
    (":", _CLOCK, WILDCARD),
    ("<", _AGO, WILDCARD),
    ("@", re.compile(rf"(?<![^\s<(\[\"'=:,]){_MAILBOX}@{_HOST}(?![\w.-]*\w)"), WILDCARD),
    ('="', re.compile(r'="[^"]*[^"A-Za-z _-][^"]*"'), '="<*>"'),
    ("=[", re.compile(r"=\[[^\[\]]*\](?:\[[^\[\]]*\])+"), "=<*>"),
    ("=[", re.compile(r"=\[[^\[\]]*\]"), "=[<*>]"),
    ("{", re.compile(r"=[A-Za-z]\w*\{[^{}]*\}"), "=<*>"),
    ("()", re.compile(r"(?<!\S)\(\)"), "(<*>)"),
    ("  ", re.compile(rf"\b({_NAMES})  (?={_AFTER_NAME})"), rf"\1 {WILDCARD} "),  # an empty name
    (" ", _REPEATED, WILDCARD),
)
_TEXT_MASKS_WITHOUT_DIGITS = tuple(one for one in _TEXT_MASKS if one[1] not in (_DATE, _CLOCK, _AGO, _REPEATED))

# What may make more of a message without digits than its parts between blanks, one by one.
_NOT_PLAIN = re.compile(
    "|".join(mask.pattern if mark == ":" else re.escape(mark) for mark, mask, _ in _TEXT_MASKS_WITHOUT_DIGITS)
    + r"|<\*>|[\"'`\t-\r]"
)
_LONGEST_PLAIN = _TOKEN_CAP  # characters: no more tokens than that, and parts that can be remembered

# Wildcards that touch are one parameter; so are addresses written with colons.
_GLUED = re.compile(r"<\*>(?:[.+_-]?<\*>)+")
_COLONS = re.compile(r"<\*>(?::<\*>){3,}")

# Lists, and numbers with units, are one place of a template, of which more is shown while all that is seen agrees.
_ITEM = r"<\*>(?::<\*>)?"
_LIST = rf"{_ITEM}(?:(?:, ?|; ?| ?\| ?| |#+){_ITEM}){{2,}}|{_ITEM}(?:(?:, ?|; ?|\||#+){_ITEM})"
_SIZE = r"(?:[kKMGTP]i?)?B(?:/s)?|bytes"
_UNIT = rf"{_SIZE}|[num\u00b5]?s|secs?|seconds|mins?|minutes|hrs?|hours|days|[kMG]?Hz|[kKMG]?bps"
_QUANTITY = rf"<\*> (?:{_UNIT})(?![{_JOINED}])(?: \(<\*> (?:{_SIZE})\))?"
_PAIR = f"{WILDCARD}/{WILDCARD}"
_PLACE = re.compile(rf"(?:{_QUANTITY}|{_LIST}|{_PAIR.replace('*', chr(92) + '*')})$")


def compile_masks(patterns: Sequence[str]) -> list["re2._Regexp"]:
    """Compile users' masks on RE2 (linear time). Raises SettingsError for one that RE2 refuses or that matches ""."""
    options = re2.Options()
    options.log_errors = False  # the error says it
    compiled = []
    for pattern in patterns:
        try:
            compiled.append(re2.compile(pattern, options=options))
        except re2.error as why:
            reason = why.args[0].decode() if isinstance(why.args[0], bytes) else why.args[0]
            raise SettingsError(f"mask {pattern!r} is not a regular expression RE2 accepts: {reason}") from None
        if compiled[-1].search("") is not None:
            raise SettingsError(f"mask {pattern!r} matches the empty text: want one that needs a character")
    return compiled


def tokenise(message: str, masks: Sequence["re2._Regexp"] = ()) -> list[str]:
    """Return the message's tokens: words or `<*>` for parameters, single blanks, other characters.

    Text after the 512th word or punctuation mark is one more `<*>`. Every message that the fingerprint takes for the
    same shape fits the template these tokens make (`_fingerprint.fingerprint` must tell apart what is told apart here).
    """
    for pattern in masks:
        message = pattern.sub(WILDCARD, message)
    digits = _DIGITS.search(message) is not None
    if not digits and len(message) <= _LONGEST_PLAIN:
        words = message.split(" ")
        if all(map(_is_constant, words)):
            tokens = [" "] * (2 * len(words) - 1)
            tokens[::2] = words
            return tokens
        parts = list(map(_plain, words))
        if all(parts):
            return list(chain.from_iterable(parts))[1:]
    for mark, mask, instead in _TEXT_MASKS if digits else _TEXT_MASKS_WITHOUT_DIGITS:
        if mark in message:
            message = mask.sub(instead, message)
    tokens = _TOKEN.findall(message)
    if digits:
        masked = [WILDCARD if token.isdigit() and token.isascii() else _masked(token) for token in tokens]
    else:
        masked = list(map(_masked, tokens))
    if len(tokens) > _TOKEN_CAP:
        masked = _capped(masked)
    elif masked == tokens and WILDCARD not in message and message.strip(" ") == message:
        return _without_full_stops(tokens) if "." in message else tokens
    return _collapse("".join(masked).strip(" "))


def _without_full_stops(tokens: Sequence[str]) -> list[str]:
    """Return the tokens of a message nothing is masked in, as `_collapse` cuts them: full stops after a word apart."""
    parts: list[str] = []
    for token in tokens:
        word = token.rstrip(".")
        parts += (word, token[len(word) :]) if 0 < len(word) < len(token) else (token,)
    return parts


def _capped(masked: list[str]) -> list[str]:
    """Return the first words and marks of a message, and one parameter for what follows them."""
    words = [place for place, text in enumerate(masked) if text != " "]
    return [*masked[: words[_TOKEN_CAP]], WILDCARD] if len(words) > _TOKEN_CAP else masked


class Remembered(dict[str, Made]):
    """What a function makes of tokens. Without the order that `lru_cache` keeps it is found in half the time."""

    def __init__(self, function: Callable[[str], Made]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, token: str) -> Made:
        if len(self) >= _REMEMBERED:
            self.clear()
        found = self[token] = self._function(token)
        return found


def _mask(token: str) -> str:
    return " " if token[0] in _BLANKS else "".join(_word(token))


_masked = Remembered(_mask).__getitem__


def _plain_tokens(part: str) -> tuple[str, ...]:
    """Return a blank and the tokens of what stands between two blanks; none if a parameter may have a share in it."""
    if part.isalpha():  # as most are
        return () if _is_value(part) else (" ", part)
    tokens = _TOKEN.findall(part)
    if not part or _NOT_PLAIN.search(part) or list(map(_masked, tokens)) != tokens:
        return ()
    return (" ", *_without_full_stops(tokens))


_plain = Remembered(_plain_tokens).__getitem__
_is_constant = Remembered(lambda part: part.isalpha() and not _is_value(part)).__getitem__


def _is_value(letters: str) -> bool:
    """Return whether letters are a parameter."""
    return letters in _LITERAL_VALUES or (len(letters) >= 8 and _LONG_HEX.match(letters) is not None)


def _word(token: str) -> tuple[str, ...]:
    """Return a word without full stops at its end, masked, and what is constant after it."""
    if token.isalpha():
        return (WILDCARD,) if _is_value(token) else (token,)
    core = token.rstrip(".")
    if not core or token == WILDCARD:
        return (token,)
    if _PATH.match(core):
        return (WILDCARD,)
    end = (token[len(core) :],) if len(core) < len(token) else ()
    if _is_value(core) or _QUALIFIED.match(core) or _IS_HOST.match(core):
        return (WILDCARD, *end)
    if not _DIGIT.search(core) or _VERSIONED.match(core):
        return (core, *end)
    if _PERCENT.match(core):
        return (WILDCARD, "%", *end)
    if _OF.match(core):
        return (_PAIR, *end)
    prefix = _PREFIXED.match(core)
    return (prefix.group(1), WILDCARD, *end) if prefix else (WILDCARD, *end)


_RETOKEN = re.compile(
    rf"{_LIST}|{_QUANTITY}|{_PHRASE}|(?:[{_JOINED}]|<\*>|\.+(?=[{_JOINED}]|<\*>))+|\.+|[\t-\r ]|[^A-Za-z0-9\t-\r ]"
)


def _collapse(masked: str) -> list[str]:
    return _RETOKEN.findall(normalise(masked))


@lru_cache(maxsize=1 << 12)
def is_place(token: str) -> bool:
    """Return whether a token is a parameter of which more than `<*>` may be shown: a list, or a number with a unit."""
    return _PLACE.match(token) is not None


def is_word(token: str) -> bool:
    """Return whether a token is a word or parameter, as opposed to a blank or punctuation."""
    return WILDCARD in token or any(map(str.isalnum, token))


def normalise(template: str) -> str:
    """Return the template as it is shown and hashed: wildcards that belong together are one."""
    return _COLONS.sub(WILDCARD, _GLUED.sub(WILDCARD, template)) if WILDCARD in template else template
