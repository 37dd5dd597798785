"""Where the time of a header is, and what the columns before it are."""

import itertools
import re

from parsing._header_scan import Scan
from parsing._layouts import LEVEL_WORDS
from parsing._times import TIME_LAYOUTS, TimeLayout

_LEADING_COLUMN = re.compile(r"(?:-|[^a-z\s]+|\S*[\d._:|/]\S*|\|)$")
_MOST_LEADING = 8
_OPENED = re.compile(r"[\[(\"*]?")
# A number, a host and what it is about, and then the time: no sentence begins so.
_COLUMNS = re.compile(r"(?:\d+|-)\s+(?:[A-Za-z]\S*\d|\d\S*[A-Za-z])\S*(?:\s+[\w./:-]+){1,3}?\s+(?=1\d{9})")
_BEFORE_A_TIME = frozenset(
    ("after", "at", "before", "by", "for", "from", "in", "of", "on", "since", "time", "till", "to", "until", "was")
)
_TIMES = [
    (re.compile("|".join(layout.regex for layout in some)), [(layout, re.compile(layout.regex)) for layout in some])
    for some in ([one for one in TIME_LAYOUTS if one.has("d")], [one for one in TIME_LAYOUTS if not one.has("d")])
]
"""Those with a date, then those without: one expression that finds any, and one a layout."""


def time_column(text: str) -> int:
    """Return how many words stand before the first day and time, or time since the epoch, that begins a word; else -1.

    There may be eight of them, and the last one not one that leads to a time in a sentence.
    """
    text = text[:2000]
    starts = column_starts(Scan(text))
    for count, start in enumerate(starts):
        opened = start + (text[start : start + 1] in ("[", "(", '"'))
        if any(layout.dated and regex.match(text, opened) for _, some in _TIMES for layout, regex in some):
            before = text[:start].split()
            return count if before and before[-1].lower() not in _BEFORE_A_TIME and before[-1][-1] not in ":=" else -1
    return -1


def column_starts(scan: Scan) -> list[int]:
    """Return where the next words begin."""
    words = re.compile(r"\S+\s*").finditer(scan.text, scan.at, scan.at + 200)
    return [scan.at, *(word.end() for word, _ in zip(words, range(_MOST_LEADING), strict=False))]


def starts(scan: Scan) -> list[int]:
    """Return where the time may begin: here, or behind words that are columns by their looks."""
    words = column_starts(scan)
    for count, (begin, end) in enumerate(itertools.pairwise(words), 1):
        if not _LEADING_COLUMN.match(scan.text[begin:end].strip()):
            return words[:count]
    return words


def past_columns(text: str) -> list[int]:
    """Return where a time since the epoch begins behind what can only be columns, if it does."""
    found = _COLUMNS.match(text)
    return [] if found is None or found.group().split()[-1] in _BEFORE_A_TIME else [found.end()]


def find_time(scan: Scan, starts: list[int], named: bool = False) -> TimeLayout | None:
    """Move the scan behind the first time that begins at one of `starts`, taking columns before it on the way.

    `named`: what the columns are is told by their order.
    """
    for any_of_these, layouts in _TIMES:
        for start in starts:
            opened = _OPENED.match(scan.text, start)
            assert opened is not None
            for layout, regex in layouts if any_of_these.match(scan.text, opened.end()) else ():
                if start > scan.at and layout.fields[0][0] == "H":
                    continue
                if (found := regex.match(scan.text, opened.end())) is None:
                    continue
                if scan.text[found.end() : found.end() + 1].isalnum():
                    continue
                words = scan.text[scan.at : start].split()
                by_order = named or (layout.has("s") and len(words) >= 3)
                (_named_columns if by_order else _leading_columns)(scan, words)
                part = re.escape(opened.group())
                scan.pattern += f"{opened.group()}<time:{layout.name}>"
                scan.regex += rf"{part}(?P<time>{layout.regex})"
                scan.at = found.end()
                return layout
    return None


def _leading_columns(scan: Scan, words: list[str]) -> None:
    for word in words:
        dotted = re.fullmatch(r"[a-z_]+(?:\.[a-z_]+)+", word)
        if dotted and "component" not in scan.named:
            scan.add("<component> ", r"(?P<component>\S+)\s+", scan.at, "component")
        elif word == "|":
            scan.add("| ", r"\|\s*", scan.at)
        else:
            scan.add("<*> ", r"\S+\s+", scan.at)


def _named_columns(scan: Scan, words: list[str]) -> None:
    """Take over columns: the first with letters and digits is the host, the next with letters what it is about."""
    for word in words:
        letters = re.search("[A-Za-z]", word) is not None
        if "level" not in scan.named and re.fullmatch(LEVEL_WORDS, word):
            scan.add("<level> ", rf"(?P<level>(?i:{LEVEL_WORDS}))\s+", scan.at, "level")
        elif letters and not scan.named & {"host", "component"} and re.search(r"\d", word) and len(words) > 1:
            scan.add("<host> ", r"(?P<host>\S+)\s+", scan.at, "host")
        elif letters and "component" not in scan.named:
            scan.add("<component> ", r"(?P<component>\S+)\s+", scan.at, "component")
        else:
            scan.add("<*> ", r"\S+\s+", scan.at)
