"""A line as its header is read from left to right: how far, and what has been found."""

import re

from parsing._layouts import LEVEL_WORDS, Layout
from parsing._times import TimeLayout

LEVEL_TEXT = rf"(?:{LEVEL_WORDS}|{LEVEL_WORDS.title()}|{LEVEL_WORDS.lower()})"
LEVEL_HERE = re.compile(rf"(?P<open>[\[(<]?)(?P<level>{LEVEL_TEXT})(?P<close>(?:\s*[\])>])?)(?=[\s:|,\[]|-|$)")
SEPARATOR = re.compile(r"\s*(?:-{1,3}(?=\s)|\||,|:(?=\s))?\s*")
TRACE = re.compile(r"trace_?id[:=]\s*[0-9a-f]{16,32}\b,?\s*(?:span_?id[:=]\s*[0-9a-f]{16}\b,?)?\s*", re.IGNORECASE)


class Scan:
    """Position in the line, and the two descriptions that grow with it."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.pattern, self.regex = text, 0, "", ""
        self.columns = 0
        self.named: set[str] = set()

    def add(self, shown: str, regex: str, end: int, *names: str) -> None:
        """Take over what reaches up to `end`: as shown, as expression, and the fields it names."""
        self.pattern += shown
        self.regex += regex
        self.at = end
        self.columns += 1
        self.named.update(names)

    def separator(self) -> None:
        """Take over blanks and one delimiter."""
        found = SEPARATOR.match(self.text, self.at)
        assert found is not None
        mark = found.group().strip()
        if not found.group():
            return
        self.pattern += f" {mark} " if mark in ("-", "--", "---") else f"{mark}" if mark else " "
        self.regex += rf"\s*{re.escape(mark)}\s*" if mark else r"\s+"
        self.at = found.end()

    def layout(self, time: TimeLayout | None) -> Layout:
        """Return the layout of all that was taken over; the rest is the message."""
        return Layout(f"{self.pattern}<message>", rf"{self.regex}(?P<message>.*)", time, self.columns)


def add_level(scan: Scan, found: re.Match[str]) -> None:
    """Take over a level that LEVEL_HERE has found."""
    opened, closed = found.group("open"), found.group("close").strip()
    regex = rf"{re.escape(opened)}(?P<level>(?i:{LEVEL_WORDS}))" + (rf"\s*{re.escape(closed)}" if closed else "")
    scan.add(f"{opened}<level>{closed}", regex, found.end(), "level")
