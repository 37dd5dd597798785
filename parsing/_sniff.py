"""Read one raw line's header from left to right and describe its layout.

The grammar knows what headers are made of (times, levels, process ids, bracketed threads, logger names, delimited
columns), not which product wrote them. It looks at one line only, so what it finds does not depend on later lines.
"""

import re

from parsing._known import AFTER_TIME, TIMELESS
from parsing._layouts import CONTAINER, LEVEL_WORDS, Layout
from parsing._times import TIME_LAYOUTS, TimeLayout

_LEVEL_TEXT = rf"(?:{LEVEL_WORDS}|{LEVEL_WORDS.title()}|{LEVEL_WORDS.lower()})"
_LEVEL_AHEAD = re.compile(
    rf"(?:(?<=[\s|:(<\[])|^)(?:{LEVEL_WORDS}|{LEVEL_WORDS.title()})(?=[\s\])>|:,]|$)|\[{_LEVEL_TEXT}\s*\]"
)
_LEVEL_HERE = re.compile(rf"(?P<open>[\[(<]?)(?P<level>{_LEVEL_TEXT})(?P<close>(?:\s*[\])>])?)(?=[\s:|,\[]|-|$)")
_LETTER_LEVEL = re.compile(r"[VDIWEFTC](?=\s)")
_BRACKET = re.compile(r"\[([^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*)\]")
_NUMBER = re.compile(r"\d{1,10}(?=[\s|])")
_WORD = re.compile(r"[^\s\[\]|,;\"=]+(?=[\s|])")
_SEPARATOR = re.compile(r"\s*(?:-{1,3}(?=\s)|\||,|:(?=\s))?\s*")
_NAME_COLON = re.compile(r"(?P<name>[A-Za-z_$][\w.$/\-]*(?:::[\w$]+)*(?:@\d+)?)(?P<pid>\[\d+\])?(?P<gap>\s*):(?=\s|$)")
_NAME_DASH = re.compile(r"(?P<name>[A-Za-z_$][\w.$/:#\-]*)(?=\s+-\s)")
_NAME_BARE = re.compile(r"(?P<name>[A-Za-z_]\w*(?:\.\w+)+)(?=\s)")
_NAME_COLUMN = re.compile(r"(?P<name>[A-Za-z]\w*)(?=\s{2,})")
_HASH_NAME = re.compile(r"(?P<name>[A-Za-z_][\w.$]*#\d+)(?=\s)")
_STRONG = re.compile(r"[.$/_]|::|[a-z0-9][A-Z]")
_PROSE_HEADS = frozenset(
    {"error", "warning", "warn", "note", "exception", "failed", "failure", "usage", "hint", "info"}
)
_TAG = re.compile(r"[^\s:\[\]]+(?: [^\s:\[\]]+){0,3}?\[\d+\](?: ?\([^)]*\))?:|[^\s:\[\]]+(?: [\d.]+)?:(?=\s|$)")

STRONG_NAME = r"(?:[A-Za-z_][\w$-]*)?(?:[./$_]|::|[a-z0-9][A-Z])[\w$./:@-]*?"
_WEAK_NAME = r"[A-Za-z_$][\w.$/:@-]*?"
_TAG_PART = (
    r"(?:(?:(?P<component>[^\s:\[\]]+(?: [^\s:\[\]]+){0,3}?)\[(?P<pid>\d+)\](?: ?\([^)]*\))?"
    r"|(?P<component2>[^\s:\[\]]+(?: [\d.]+)?)):(?:\s+|$))?"
)
_TRACE = re.compile(r"trace_?id[:=]\s*[0-9a-f]{16,32}\b,?\s*(?:span_?id[:=]\s*[0-9a-f]{16}\b,?)?\s*", re.IGNORECASE)
_TRACE_PART = (
    r"(?:(?i:trace_?id)[:=]\s*(?P<trace_id>[0-9a-fA-F]{16,32})\b,?\s*"
    r"(?:(?i:span_?id)[:=]\s*(?P<span_id>[0-9a-fA-F]{16})\b,?)?\s*)?"
)
_LEADING_COLUMN = re.compile(r"(?:-|[^a-z\s]+|\S*[\d._:|/]\S*|\|)$")
_ACCESS = re.compile(r"(\S+) \S+ \S+(?: \S+)? \[(?=\d{1,2}/)")
_ROLE = re.compile(r"\d+:[XCSM] (?=\d{1,2} [A-Z][a-z]{2} (?:\d{4} )?\d\d:)")
_TAGGED = re.compile(r"\s+(?P<host>[^\s:\[\]]+)\s+(?P<component>[^\s:\[\]=]+)(?:\[(?P<pid>\d+)\])?:(?:\s+|$)")
_MICROSECONDS = re.compile(r"T[\d:]+\.\d{6}(?:Z|[+-]\d\d:\d\d)$")
_ERLANG = re.compile(r"<\d+\.\d+\.\d+>(?= )")
_AFTER_TIME = [(shown, regex, re.compile(regex)) for shown, regex in AFTER_TIME]
_TIMELESS = [(shown, regex, re.compile(regex)) for shown, regex in TIMELESS]
_DOTTED = re.compile(r"\[[\w$]+(?:\.[\w$]+)+\s*\]")
_MOST_LEADING = 8
_TIMES = [
    (re.compile("|".join(layout.regex for layout in some)), [(layout, re.compile(layout.regex)) for layout in some])
    for some in ([one for one in TIME_LAYOUTS if one.has("d")], [one for one in TIME_LAYOUTS if not one.has("d")])
]
"""Those with a date, then those without: one expression that finds any, and one a layout."""


class _Scan:
    """Position in the line, and the two descriptions that grow with it."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.pattern, self.regex = text, 0, "", ""
        self.columns = 0
        self.named: set[str] = set()

    def add(self, shown: str, regex: str, end: int, *names: str) -> None:
        self.pattern += shown
        self.regex += regex
        self.at = end
        self.columns += 1
        self.named.update(names)

    def separator(self) -> None:
        """Take over blanks and one delimiter."""
        found = _SEPARATOR.match(self.text, self.at)
        assert found is not None
        mark = found.group().strip()
        if not found.group():
            return
        self.pattern += f" {mark} " if mark in ("-", "--", "---") else f"{mark}" if mark else " "
        self.regex += rf"\s*{re.escape(mark)}\s*" if mark else r"\s+"
        self.at = found.end()

    def layout(self, time: TimeLayout | None) -> Layout:
        return Layout(f"{self.pattern}<message>", rf"{self.regex}(?P<message>.*)", time, self.columns)


def sniff(text: str, leading: bool = True) -> Layout | None:
    """Return the layout of the header `text` begins with, or None. `leading`: columns may come before the time."""
    text = text[:2000]
    scan = _Scan(text)
    if (access := _ACCESS.match(text)) is not None:
        return _access(scan, access.end())
    priority = re.match(r"<\d{1,3}>(?:1 )?", text)
    if priority:
        scan.add("<priority>", r"<(?P<priority>\d{1,3})>(?:1 )?", priority.end())
    if (klog := re.match(r"([IWEF])(?=(?:\d{4}){1,2} \d\d:)", text)) is not None:
        scan.add("<level>", "(?P<level>[IWEF])", klog.end(), "level")
        return _klog(scan)
    if (role := _ROLE.match(text)) is not None:
        return _role(scan, role.end())
    _leading_level(scan)
    found = _find_time(scan, leading)
    if found is None:
        return _timeless(text)
    return _after_time(scan, found, rfc5424=bool(priority and priority.group().endswith("1 ")))


def _leading_level(scan: _Scan) -> None:
    found = _LEVEL_HERE.match(scan.text)
    if found and re.match(r"\s*[:|-]?\s*[\[(]?\d", scan.text[found.end() :]):
        _add_level(scan, found)
        scan.separator()


def _add_level(scan: _Scan, found: re.Match[str]) -> None:
    opened, closed = found.group("open"), found.group("close").strip()
    regex = rf"{re.escape(opened)}(?P<level>(?i:{LEVEL_WORDS}))" + (rf"\s*{re.escape(closed)}" if closed else "")
    scan.add(f"{opened}<level>{closed}", regex, found.end(), "level")


def _find_time(scan: _Scan, leading: bool) -> TimeLayout | None:
    """Move the scan behind the first time, taking columns before it on the way."""
    starts = [scan.at]
    if leading:
        for word in re.finditer(r"\S+\s*", scan.text[scan.at : scan.at + 200]):
            if len(starts) > _MOST_LEADING or not _LEADING_COLUMN.match(word.group().strip()):
                break
            starts.append(scan.at + word.end())
    for any_of_these, layouts in _TIMES:
        for count, start in enumerate(starts):
            opened = re.compile(r"[\[(\"]?").match(scan.text, start)
            assert opened is not None
            for layout, regex in layouts if any_of_these.match(scan.text, opened.end()) else ():
                if count and layout.fields[0][0] == "H":
                    continue
                if (found := regex.match(scan.text, opened.end())) is None:
                    continue
                if scan.text[found.end() : found.end() + 1].isalnum():
                    continue
                _leading_columns(scan, scan.text[scan.at : start].split())
                part = re.escape(opened.group())
                scan.pattern += f"{opened.group()}<time:{layout.name}>"
                scan.regex += rf"{part}(?P<time>{layout.regex})"
                scan.at = found.end()
                return layout
    return None


def _leading_columns(scan: _Scan, words: list[str]) -> None:
    for word in words:
        dotted = re.fullmatch(r"[a-z_]+(?:\.[a-z_]+)+", word)
        if dotted and "component" not in scan.named:
            scan.add("<component> ", r"(?P<component>\S+)\s+", scan.at, "component")
        elif word == "|":
            scan.add("| ", r"\|\s*", scan.at)
        else:
            scan.add("<*> ", r"\S+\s+", scan.at)


def _after_time(scan: _Scan, time: TimeLayout, rfc5424: bool) -> Layout:
    text = scan.text
    leading = scan.columns
    if scan.pattern.count("[<time") and not text.startswith("]", scan.at):
        _inside_bracket(scan)
    if text[scan.at : scan.at + 1] in ("]", ")", '"'):
        closed = text[scan.at]
        scan.pattern += closed
        scan.regex += re.escape(closed)
        scan.at += 1
    if rfc5424:
        return _syslog5424(scan, time)
    if re.match(r"\s*[|\t]", text[scan.at :]):
        return _delimited(scan, time)
    if re.match(CONTAINER, text[scan.at :]):
        scan.add(" <*> <*> ", CONTAINER, scan.at)
        return scan.layout(time)
    if time.fields[0][0] == "b" and not time.has("Y") and _syslog(scan):
        return scan.layout(time)
    if _known(scan) or (not leading and _tagged(scan)):
        return scan.layout(time)
    _tail(scan, columnar=leading >= 2)
    _trace(scan)
    return scan.layout(time)


def _trace(scan: _Scan) -> None:
    if re.search(r"\s$", scan.pattern) is None and scan.text[scan.at : scan.at + 1].isspace():
        scan.separator()
    if _TRACE.match(scan.text, scan.at):
        scan.add("TraceID: <trace_id> SpanID: <span_id> ", _TRACE_PART, scan.at, "trace_id", "span_id")


def _inside_bracket(scan: _Scan) -> None:
    """Take over what follows the time inside its bracket: a level, maybe `/` and a process name, or a module."""
    found = re.compile(rf"(?P<gap>[:,]?\s*)(?P<level>{_LEVEL_TEXT})(?P<rest>(?:/| +)[\w.:$-]+)?\]").match(
        scan.text, scan.at
    )
    if found is None:
        return
    gap = re.escape(found.group("gap").strip()) + r"\s*"
    mark = (found.group("rest") or "")[:1]
    field = "thread" if mark == "/" else "component"
    name = rf"(?:[/ ]+(?P<{field}>[\w.:$-]+))?"
    shown = f"{found.group('gap')}<level>" + (f"{mark}<{field}>" if mark else "")
    scan.add(shown, rf"{gap}(?P<level>(?i:{LEVEL_WORDS})){name}", found.end() - 1, "level", field)


def _syslog(scan: _Scan) -> bool:
    """Take over `host tag[pid]:` of RFC 3164; return whether that is what follows."""
    host = re.compile(r"\s+(\S+)\s+").match(scan.text, scan.at)
    if host is None or _LEVEL_HERE.match(host.group(1)):
        return False
    tag = _TAG.match(scan.text, host.end())
    if tag is None and not scan.text.startswith(("last message repeated", "message repeated"), host.end()):
        return False
    scan.add(" <host> <component>[<pid>]: ", rf"\s+(?P<host>\S+)\s+{_TAG_PART}", host.end(), "component")
    return True


def _known(scan: _Scan) -> bool:
    """Take over what a kind of program writes after the time; return whether that is what follows."""
    for shown, regex, compiled in _AFTER_TIME if not scan.named else ():
        if (found := compiled.match(scan.text, scan.at)) is not None:
            scan.add(shown, regex, found.end(), "level", "component")
            return True
    return False


def _tagged(scan: _Scan) -> bool:
    """Take over `host tag[pid]:` after a time of RFC 3339 (rsyslog); return whether that is what follows."""
    found = _TAGGED.match(scan.text, scan.at)
    if found is None or scan.named or _LEVEL_HERE.match(found.group("host")):
        return False
    if found.group("pid") is None and not _MICROSECONDS.search(scan.text, 0, scan.at):
        return False
    scan.add(" <host> <component>[<pid>]: ", _TAGGED.pattern, found.end(), "component")
    return True


def _syslog5424(scan: _Scan, time: TimeLayout) -> Layout:
    """Take over the rest of an RFC 5424 header; `-` stands for what is not said."""
    names = ("host", "component", "pid")
    regex = "".join(rf"\s+(?:-|(?P<{name}>\S+))" for name in names)
    regex += r"\s+\S+\s+(?:-|(?P<data>(?:\[(?:[^\]\\]|\\.)*\])+))(?:\s+(?:\x{FEFF})?|$)"
    scan.add(" <host> <component> <pid> <*> <data> ", regex, scan.at, "component", "pid")
    return scan.layout(time)


def _access(scan: _Scan, end: int) -> Layout | None:
    scan.add("<client> <*> <*> [", r"(?P<client>\S+) \S+ \S+(?: \S+)? \[", end)
    time = _find_time(scan, leading=False)
    if time is None:
        return None
    scan.add("] ", r"\]\s*", scan.at + 1)
    return scan.layout(time)


def _klog(scan: _Scan) -> Layout | None:
    time = _find_time(scan, leading=False)
    if time is None:
        return None
    scan.add(" <pid> <component>] ", r"\s+(?P<pid>\d+)\s+(?P<component>[^\]\s]+)\]\s*", scan.at, "component")
    return scan.layout(time)


def _role(scan: _Scan, end: int) -> Layout | None:
    """Take over `pid:role time mark` of Redis."""
    scan.add("<pid>:<component> ", r"(?P<pid>\d+):(?P<component>[XCSM]) ", end, "pid", "component")
    time = _find_time(scan, leading=False)
    if time is None:
        return None
    scan.add(" <level> ", r" (?P<level>[.*#-])\s+", scan.at, "level")
    return scan.layout(time)


def _delimited(scan: _Scan, time: TimeLayout) -> Layout:
    """Columns after the time are divided by one character; the message is the first one with a blank, or the last."""
    text = scan.text
    mark = text[scan.at :].lstrip(" ")[0]
    regex_mark = r"\s*\|\s*" if mark == "|" else r"\t"
    rest = text[scan.at :].lstrip(" ")[1:].split(mark)
    for field in rest[:-1]:
        word = field.strip()
        if " " in word or not word:
            break
        scan.pattern += mark
        scan.regex += regex_mark
        if "level" not in scan.named and _LEVEL_HERE.fullmatch(word):
            scan.add("<level>", rf"(?P<level>(?i:{LEVEL_WORDS}))", scan.at, "level")
        elif word.isdigit() and "pid" not in scan.named:
            scan.add("<pid>", r"(?P<pid>\d+)", scan.at, "pid")
        elif "component" not in scan.named and not word.isdigit():
            scan.add("<component>", r"(?P<component>[^|\t]*?)", scan.at, "component")
        else:
            scan.add("<*>", r"[^|\t]*?", scan.at)
    scan.pattern += mark
    scan.regex += regex_mark
    return scan.layout(time)


def _tail(scan: _Scan, columnar: bool) -> None:
    """Take over what stands between time and message: columns, level, thread, logger name."""
    ahead = _LEVEL_AHEAD.search(scan.text, scan.at, scan.at + 120)
    letter = re.compile(r"\s+(\d+)\s+(\d+)\s+[VDIWEF]\s").match(scan.text, scan.at)
    if letter is not None:
        part = r"\s+(?P<pid>\d+)\s+(?P<thread>\d+)\s+(?P<level>[VDIWEF])\s+(?P<component>.*?)\s*:(?:\s|$)"
        scan.add(" <pid> <tid> <level> <component>: ", part, letter.end(), "level", "component")
        return
    if "level" not in scan.named and ahead is not None and _columns_before(scan.text[scan.at : ahead.start()]):
        _to_level(scan, ahead.start())
    elif columnar and (number := re.compile(r"\s+\d+(?=\s)").match(scan.text, scan.at)):
        scan.add(" <*>", r"\s+\d+", number.end())
    wide = re.match(r"\s{2,}", scan.text[scan.at :]) is not None
    scan.separator()
    if "component" not in scan.named and not _TRACE.match(scan.text, scan.at):
        _component(scan, wide)


def _columns_before(text: str) -> bool:
    """Return whether what stands before a level looks like columns and not like a sentence."""
    outside = _BRACKET.sub(" ", text)
    words = [word for word in outside.split() if not re.fullmatch(r"[-|,:]+", word)]
    prose = sum(word.isalpha() and word.islower() for word in words)
    return len(words) <= 5 and prose <= 1 and '"' not in text and "=" not in outside


def _to_level(scan: _Scan, level_at: int) -> None:
    """Take over columns up to the level that stands at `level_at`, and the level."""
    items: list[tuple[str, str, str]] = []
    text = scan.text
    scan.separator()
    while scan.at < level_at:
        if bracket := _BRACKET.match(text, scan.at):
            items.append(_bracket_item(bracket.group(1)))
            end = bracket.end()
        elif number := _NUMBER.match(text, scan.at):
            items.append(("number", "<*>", r"\d+"))
            end = number.end()
        else:
            end = text.index(" ", scan.at) if " " in text[scan.at : level_at] else level_at
            end = max(end, scan.at + 1)
            items.append(("word", "<*>", r"\S+"))
        items.append(("gap", *_gap(scan, end)))
    found = _LEVEL_HERE.match(text, scan.at)
    for shown, regex in _named_columns(items, scan):
        scan.add(shown, regex, scan.at)
    if found is not None:
        _add_level(scan, found)


def _gap(scan: _Scan, end: int) -> tuple[str, str]:
    """Move behind the separator at `end`; return it as shown and as expression."""
    found = _SEPARATOR.match(scan.text, end)
    assert found is not None
    mark = found.group().strip()
    scan.at = found.end()
    if not found.group():
        return "", ""
    return (f" {mark} " if mark else " ", rf"\s*{re.escape(mark)}\s*" if mark else r"\s+")


def _bracket_item(content: str) -> tuple[str, str, str]:
    if content.strip().isdigit():
        return "number", "[<*>]", r"\[\s*(?P<pid>\d+)\s*\]"
    return "bracket", "[<thread>]", r"\[(?P<thread>[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*)\]"


def _named_columns(items: list[tuple[str, str, str]], scan: _Scan) -> list[tuple[str, str]]:
    """Give columns their meaning: the last word is the component, numbers are process and thread."""
    words = [i for i, item in enumerate(items) if item[0] == "word"]
    numbers = [i for i, item in enumerate(items) if item[0] == "number"]
    named = {}
    if words and "component" not in scan.named:
        named[words[-1]] = ("<component>", r"(?P<component>\S+)")
        scan.named.add("component")
    for i, field in zip(numbers, ("pid", "thread"), strict=False):
        regex = items[i][2] if "?P<" in items[i][2] else rf"(?P<{field}>\d+)"
        named[i] = (f"<{field}>", regex)
    seen_thread = any("thread" in shown for shown, _ in named.values())
    for i, item in enumerate(items):
        if item[0] == "bracket":
            named[i] = ("[<*>]", r"\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]") if seen_thread else (item[1], item[2])
            seen_thread = True
    return [named.get(i, (item[1], item[2])) for i, item in enumerate(items)]


def _component(scan: _Scan, wide: bool) -> None:
    """Take over thread and logger name after the level, where the line has them."""
    text, had_level = scan.text, "level" in scan.named
    bracket = _BRACKET.match(text, scan.at) if had_level else None
    if bracket is not None:
        place = re.fullmatch(r"(.*):([\w$.]+)@(\d+)", bracket.group(1), re.DOTALL)
        if place:
            part = r"\[(?P<thread>.*?):(?P<component>[\w$.]+)@\d+\]"
            scan.add("[<thread>:<component>@<*>]", part, bracket.end(), "component")
            scan.separator()
            return
        if _DOTTED.match(text, scan.at):
            scan.add("[<component>]", r"\[(?P<component>[\w$.]+)\s*\]", bracket.end(), "component")
            scan.separator()
            return
        after = _SEPARATOR.match(text, bracket.end())
        assert after is not None
        dashed = after.group().strip().startswith("-")
        bare = _NAME_BARE.match(text, after.end())
        named = _name(text, after.end()) is not None or (bare is not None and bare.group().count(".") >= 2)
        if dashed or named or bracket.group(1).isdigit():
            shown, regex = (
                ("[<pid>]", r"\[(?P<pid>\d+)\]") if bracket.group(1).isdigit() else _bracket_item(bracket.group(1))[1:]
            )
            if "pid" in scan.named and "pid" in shown:
                shown, regex = "[<*>]", r"\[\d+\]"
            scan.add(shown, regex, bracket.end(), "thread")
            scan.separator()
    if had_level and (process := _ERLANG.match(text, scan.at)) is not None:
        scan.add("<thread> ", r"(?:(?P<thread><\d+\.\d+\.\d+>) )?", process.end() + 1, "thread")
        return
    number = re.compile(r"\d+\s+---\s+(?:\[[^\]]*\]\s+)?\[([^\]]*)\]\s+").match(text, scan.at)
    if number is not None:
        part = r"(?P<pid>\d+)\s+---\s+(?:\[[^\]]*\]\s+)?\[\s*(?P<thread>[^\]]*)\]\s+"
        scan.add("<pid> --- [<thread>] ", part, number.end(), "thread")
    _logger(scan, had_level, wide)


def _name(text: str, at: int) -> re.Match[str] | None:
    found = _NAME_COLON.match(text, at) or _NAME_DASH.match(text, at)
    if found is None or found.group("name").lower() in _PROSE_HEADS:
        return None
    return found


def _logger(scan: _Scan, had_level: bool, wide: bool) -> None:
    text = scan.text
    if not had_level and "thread" not in scan.named:
        if dash := re.compile(r"(?P<name>[\w.]+\.exe(?: \*\d+)?|[A-Za-z_]\w*(?: \*\d+)?)(?=\s+-\s)").match(
            text, scan.at
        ):
            scan.add("<component> - ", r"(?P<component>\S+(?: \*\d+)?)\s+-\s+", dash.end(), "component")
        elif source := re.compile(r"[\w./-]+\.\w+:\d+:\s").match(text, scan.at):
            scan.add("<component>: ", r"(?P<component>[\w./-]+\.\w+:\d+):\s+", source.end(), "component")
        return
    colon, dash = _NAME_COLON.match(text, scan.at), _NAME_DASH.match(text, scan.at)
    if dash is not None:
        scan.add("<component> - ", r"(?:(?P<component>[A-Za-z_$][\w.$/:#-]*)\s+-\s+)?", dash.end(), "component")
    elif _HASH_NAME.match(text, scan.at):
        scan.add("<component> ", r"(?:(?P<component>[A-Za-z_][\w.$]*#\d+)\s+)?(?:-\s+)?", scan.at, "component")
        scan.at = text.index(" ", scan.at) + 1
    elif colon is not None and _accept(colon):
        name = STRONG_NAME if _STRONG.search(colon.group("name")) and not colon.group("gap") else _WEAK_NAME
        part = rf"(?:(?P<component>{name})(?:\[(?P<pid>\d+)\])?\s*:(?:\s+|$))?"
        if "pid" in scan.named or "(?P<pid>" in scan.regex:
            part = part.replace("?P<pid>", "?:")
        scan.add("<component>: ", part, colon.end(), "component")
    elif (bare := _NAME_BARE.match(text, scan.at)) is not None and (
        bare.group().count(".") >= 2 or text.startswith(" [", bare.end())
    ):
        regex = r"(?P<component>[A-Za-z_]\w*(?:\.\w+)*)\s+(?:\[[^\[\]]*\]\s*)?"
        scan.add("<component> [<*>] ", regex, bare.end(), "component")
    elif wide and (column := _NAME_COLUMN.match(text, scan.at)):
        scan.add("<component> ", r"(?P<component>[A-Za-z]\w*)\s{2,}", column.end(), "component")
    elif had_level:
        part = rf"(?:(?P<component>{STRONG_NAME}):(?:\s+|$))?"
        scan.add("<component>: ", part, scan.at, "component")


def _accept(colon: re.Match[str]) -> bool:
    name = colon.group("name")
    return name.lower() not in _PROSE_HEADS and (not name.istitle() or bool(colon.group("gap")))


def _timeless(text: str) -> Layout | None:
    """Headers without a time: `LEVEL:logger:message`, `LEVEL: message`, `[LEVEL] message`, leading trace ids."""
    scan = _Scan(text)
    for shown, regex, compiled in _TIMELESS:
        if (found := compiled.match(text)) is not None:
            scan.add(shown, regex, found.end(), "level")
            return scan.layout(None)
    names = re.match(rf"{_LEVEL_TEXT}:[\w.]+:", text)
    if names:
        part = rf"(?P<level>(?i:{LEVEL_WORDS})):(?P<component>[\w.]+):"
        scan.add("<level>:<component>:", part, names.end(), "level", "component")
        return scan.layout(None)
    headed = re.match(rf"(?:{LEVEL_WORDS}|{LEVEL_WORDS.lower()}):\s+\S|\[{_LEVEL_TEXT}\]\s", text)
    if headed and (level := _LEVEL_HERE.match(text)) is not None:
        _add_level(scan, level)
        scan.separator()
        _trace(scan)
        return scan.layout(None)
    if _TRACE.match(text):
        scan.add("TraceID: <trace_id> SpanID: <span_id> ", _TRACE_PART, 0, "trace_id")
        return scan.layout(None)
    return None
