"""Read one raw line's header from left to right and describe its layout.

The grammar knows what headers are made of (times, levels, process ids, bracketed threads, logger names, delimited
columns), not which product wrote them. It looks at one line only, so what it finds does not depend on later lines.
"""

import re

from parsing._header_scan import LEVEL_HERE, LEVEL_TEXT, TRACE, Scan, add_level
from parsing._header_tail import tail
from parsing._known import AFTER_TIME, TIMELESS
from parsing._layouts import CONTAINER, LEVEL_WORDS, Layout
from parsing._times import TIME_LAYOUTS, TimeLayout

_TAG = re.compile(r"[^\s:\[\]]+(?: [^\s:\[\]]+){0,3}?\[\d+\](?: ?\([^)]*\))?:|[^\s:\[\]]+(?: [\d.]+)?:(?=\s|$)")

_TAG_PART = (
    r"(?:(?:(?P<component>[^\s:\[\]]+(?: [^\s:\[\]]+){0,3}?)\[(?P<pid>\d+)\](?: ?\([^)]*\))?"
    r"|(?P<component2>[^\s:\[\]]+(?: [\d.]+)?)):(?:\s+|$))?"
)
_TRACE_PART = (
    r"(?:(?i:trace_?id)[:=]\s*(?P<trace_id>[0-9a-fA-F]{16,32})\b,?\s*"
    r"(?:(?i:span_?id)[:=]\s*(?P<span_id>[0-9a-fA-F]{16})\b,?)?\s*)?"
)
_LEADING_COLUMN = re.compile(r"(?:-|[^a-z\s]+|\S*[\d._:|/]\S*|\|)$")
_ACCESS = re.compile(r"(\S+) \S+ \S+(?: \S+)? \[(?=\d{1,2}/)")
_ROLE = re.compile(r"\d+:[XCSM] (?=\d{1,2} [A-Z][a-z]{2} (?:\d{4} )?\d\d:)")
_TAGGED = re.compile(r"\s+(?P<host>[^\s:\[\]]+)\s+(?P<component>[^\s:\[\]=]+)(?:\[(?P<pid>\d+)\])?:(?:\s+|$)")
_MICROSECONDS = re.compile(r"T[\d:]+\.\d{6}(?:Z|[+-]\d\d:\d\d)$")
_AFTER_TIME = [(shown, regex, re.compile(regex)) for shown, regex in AFTER_TIME]
_TIMELESS = [(shown, regex, re.compile(regex)) for shown, regex in TIMELESS]
_MOST_LEADING = 8
_TIMES = [
    (re.compile("|".join(layout.regex for layout in some)), [(layout, re.compile(layout.regex)) for layout in some])
    for some in ([one for one in TIME_LAYOUTS if one.has("d")], [one for one in TIME_LAYOUTS if not one.has("d")])
]
"""Those with a date, then those without: one expression that finds any, and one a layout."""


def sniff(text: str, leading: bool = True) -> Layout | None:
    """Return the layout of the header `text` begins with, or None. `leading`: columns may come before the time."""
    text = text[:2000]
    scan = Scan(text)
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


def _leading_level(scan: Scan) -> None:
    found = LEVEL_HERE.match(scan.text)
    if found and re.match(r"\s*[:|-]?\s*[\[(]?\d", scan.text[found.end() :]):
        add_level(scan, found)
        scan.separator()


def _find_time(scan: Scan, leading: bool) -> TimeLayout | None:
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


def _leading_columns(scan: Scan, words: list[str]) -> None:
    for word in words:
        dotted = re.fullmatch(r"[a-z_]+(?:\.[a-z_]+)+", word)
        if dotted and "component" not in scan.named:
            scan.add("<component> ", r"(?P<component>\S+)\s+", scan.at, "component")
        elif word == "|":
            scan.add("| ", r"\|\s*", scan.at)
        else:
            scan.add("<*> ", r"\S+\s+", scan.at)


def _after_time(scan: Scan, time: TimeLayout, rfc5424: bool) -> Layout:
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
    tail(scan, columnar=leading >= 2)
    _trace(scan)
    return scan.layout(time)


def _trace(scan: Scan) -> None:
    if re.search(r"\s$", scan.pattern) is None and scan.text[scan.at : scan.at + 1].isspace():
        scan.separator()
    if TRACE.match(scan.text, scan.at):
        scan.add("TraceID: <trace_id> SpanID: <span_id> ", _TRACE_PART, scan.at, "trace_id", "span_id")


def _inside_bracket(scan: Scan) -> None:
    """Take over what follows the time inside its bracket: a level, maybe `/` and a process name, or a module."""
    found = re.compile(rf"(?P<gap>[:,]?\s*)(?P<level>{LEVEL_TEXT})(?P<rest>(?:/| +)[\w.:$-]+)?\]").match(
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


def _syslog(scan: Scan) -> bool:
    """Take over `host tag[pid]:` of RFC 3164; return whether that is what follows."""
    host = re.compile(r"\s+(\S+)\s+").match(scan.text, scan.at)
    if host is None or LEVEL_HERE.match(host.group(1)):
        return False
    tag = _TAG.match(scan.text, host.end())
    if tag is None and not scan.text.startswith(("last message repeated", "message repeated"), host.end()):
        return False
    scan.add(" <host> <component>[<pid>]: ", rf"\s+(?P<host>\S+)\s+{_TAG_PART}", host.end(), "component")
    return True


def _known(scan: Scan) -> bool:
    """Take over what a kind of program writes after the time; return whether that is what follows."""
    for shown, regex, compiled in _AFTER_TIME if not scan.named else ():
        if (found := compiled.match(scan.text, scan.at)) is not None:
            scan.add(shown, regex, found.end(), "level", "component")
            return True
    return False


def _tagged(scan: Scan) -> bool:
    """Take over `host tag[pid]:` after a time of RFC 3339 (rsyslog); return whether that is what follows."""
    found = _TAGGED.match(scan.text, scan.at)
    if found is None or scan.named or LEVEL_HERE.match(found.group("host")):
        return False
    if found.group("pid") is None and not _MICROSECONDS.search(scan.text, 0, scan.at):
        return False
    scan.add(" <host> <component>[<pid>]: ", _TAGGED.pattern, found.end(), "component")
    return True


def _syslog5424(scan: Scan, time: TimeLayout) -> Layout:
    """Take over the rest of an RFC 5424 header; `-` stands for what is not said."""
    names = ("host", "component", "pid")
    regex = "".join(rf"\s+(?:-|(?P<{name}>\S+))" for name in names)
    regex += r"\s+\S+\s+(?:-|(?P<data>(?:\[(?:[^\]\\]|\\.)*\])+))(?:\s+(?:\x{FEFF})?|$)"
    scan.add(" <host> <component> <pid> <*> <data> ", regex, scan.at, "component", "pid")
    return scan.layout(time)


def _access(scan: Scan, end: int) -> Layout | None:
    scan.add("<client> <*> <*> [", r"(?P<client>\S+) \S+ \S+(?: \S+)? \[", end)
    time = _find_time(scan, leading=False)
    if time is None:
        return None
    scan.add("] ", r"\]\s*", scan.at + 1)
    return scan.layout(time)


def _klog(scan: Scan) -> Layout | None:
    time = _find_time(scan, leading=False)
    if time is None:
        return None
    scan.add(" <pid> <component>] ", r"\s+(?P<pid>\d+)\s+(?P<component>[^\]\s]+)\]\s*", scan.at, "component")
    return scan.layout(time)


def _role(scan: Scan, end: int) -> Layout | None:
    """Take over `pid:role time mark` of Redis."""
    scan.add("<pid>:<component> ", r"(?P<pid>\d+):(?P<component>[XCSM]) ", end, "pid", "component")
    time = _find_time(scan, leading=False)
    if time is None:
        return None
    scan.add(" <level> ", r" (?P<level>[.*#-])\s+", scan.at, "level")
    return scan.layout(time)


def _delimited(scan: Scan, time: TimeLayout) -> Layout:
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
        if "level" not in scan.named and LEVEL_HERE.fullmatch(word):
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


def _timeless(text: str) -> Layout | None:
    """Headers without a time: `LEVEL:logger:message`, `LEVEL: message`, `[LEVEL] message`, leading trace ids."""
    scan = Scan(text)
    for shown, regex, compiled in _TIMELESS:
        if (found := compiled.match(text)) is not None:
            scan.add(shown, regex, found.end(), "level")
            return scan.layout(None)
    names = re.match(rf"{LEVEL_TEXT}:[\w.]+:", text)
    if names:
        part = rf"(?P<level>(?i:{LEVEL_WORDS})):(?P<component>[\w.]+):"
        scan.add("<level>:<component>:", part, names.end(), "level", "component")
        return scan.layout(None)
    headed = re.match(rf"(?:{LEVEL_WORDS}|{LEVEL_WORDS.lower()}):\s+\S|\[{LEVEL_TEXT}\]\s", text)
    if headed and (level := LEVEL_HERE.match(text)) is not None:
        add_level(scan, level)
        scan.separator()
        _trace(scan)
        return scan.layout(None)
    if TRACE.match(text):
        scan.add("TraceID: <trace_id> SpanID: <span_id> ", _TRACE_PART, 0, "trace_id")
        return scan.layout(None)
    return None
