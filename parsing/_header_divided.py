"""Headers whose columns are divided by one character."""

import re

from parsing._header_scan import Scan
from parsing._header_tail import component
from parsing._layouts import LEVEL_WORDS

DIVIDED = re.compile(rf"\s*[|\t;]|,(?=\w+,)|:(?=(?:[A-Za-z][\w.$-]*:)?(?:{LEVEL_WORDS}):)")
_COLUMN_LEVEL = rf"(?i:{LEVEL_WORDS}|SUCCESS|DEPRECATION)"


def divided(scan: Scan) -> None:
    """Columns after the time are divided by one character; the message is the first one with a blank, or the last."""
    mark = scan.text[scan.at :].lstrip(" ")[0]
    regex_mark = rf"\s*{re.escape(mark)}\s*" if mark in "|;" else re.escape(mark)
    other = rf"[^{re.escape(mark)}]*?"
    rest = scan.text[scan.at :].lstrip(" ")[1:].split(mark)
    for field in rest[:-1]:
        word = field.strip()
        full = mark != "|" and {"level", "component"} <= scan.named
        if " " in word or not word or full or (mark == ":" and "level" in scan.named and "." not in word):
            break
        scan.pattern += mark
        scan.regex += regex_mark
        if "level" not in scan.named and re.fullmatch(_COLUMN_LEVEL, word):
            scan.add("<level>", rf"(?P<level>{_COLUMN_LEVEL})", scan.at, "level")
        elif word.isdigit() and "pid" not in scan.named:
            scan.add("<pid>", r"(?P<pid>\d+)", scan.at, "pid")
        elif "component" not in scan.named and not word.isdigit():
            scan.add("<component>", f"(?P<component>{other})", scan.at, "component")
        else:
            scan.add("<*>", other, scan.at)
        scan.at = scan.text.index(mark, scan.text.index(word, scan.at) + len(word))
    scan.pattern += mark
    scan.regex += regex_mark
    scan.at = scan.text.index(mark, scan.at) + 1
    if "component" not in scan.named:
        scan.at += len(scan.text[scan.at :]) - len(scan.text[scan.at :].lstrip())
        component(scan, wide=False)
