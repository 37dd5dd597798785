"""Read one raw line's header from left to right and describe its layout.

The grammar knows what headers are made of (times, levels, process ids, bracketed threads, logger names, delimited
columns), not which product wrote them. It looks at one line only, so what it finds does not depend on later lines.
"""

import re

from parsing._header_divided import DIVIDED, divided
from parsing._header_scan import LEVEL_HERE, LEVEL_TEXT, TRACE, Scan, add_level
from parsing._header_tail import component, tail
from parsing._header_time import column_starts, find_time, past_columns, starts
from parsing._known import AFTER_TIME, AROUND_TIME, TIMELESS
from parsing._layouts import CONTAINER, LEVEL_WORDS, Layout
from parsing._times import TimeLayout

_TAG_WITH_PID = r"[^\s:\[\]]+(?: [^\s:\[\]]+){0,3}?"
_TAG_ALONE = r"[^\s:\[\]]+(?: [\d.]+)?|[A-Z][a-z]+ [A-Z][a-z]+"
_TAG = re.compile(rf"{_TAG_WITH_PID}\[\d+\](?: ?\([^)]*\))?:|(?:{_TAG_ALONE}):(?=\s|$)")
_OF_SYSLOG = re.compile(r"(?:--- )?(?:last )?message repeated|-- MARK --")
_TAG_PART = (
    rf"(?:(?:(?P<component>{_TAG_WITH_PID})\[(?P<pid>\d+)\](?: ?\([^)]*\))?"
    rf"|(?P<component2>{_TAG_ALONE})):(?:\s+|$))?"
)
_TRACE_PART = (
    r"(?:(?i:trace_?id)[:=]\s*(?P<trace_id>[0-9a-fA-F]{16,32})\b,?\s*"
    r"(?:(?i:span_?id)[:=]\s*(?P<span_id>[0-9a-fA-F]{16})\b,?)?\s*)?"
)
_LEVEL_FIRST = re.compile(r"\s*[:|-]?\s*(?:\[[^\d\[\]][^\[\]]*\]\s+)?[\[(]?\d")
_THREAD_FIRST = re.compile(r"\[[^\d\[\]][^\[\]]*\]\s+(?=\d)")
_NAMED_LATER = re.compile(r"\s*(?:\[[^\[\]]+\]\s+)?[\w$]+(?:\.[\w$]+)+\s*(?:-|:)\s")
_TAGGED = re.compile(r"\s+(?P<host>[^\s:\[\]]+)\s+(?P<component>[^\s:\[\]=]+)(?:\[(?P<pid>\d+)\])?:(?:\s+|$)")
_MICROSECONDS = re.compile(r"T[\d:]+\.\d{6}(?:Z|[+-]\d\d:\d\d)$")
_BARE_5424 = re.compile(r"1 (?=\d{4}-\d\d-\d\dT\S+ \S+ \S+ \S+ \S+ [-\[])")
_AROUND_TIME = [
    (known, re.compile(f"{known.before}(?={known.ahead})"), re.compile(known.after)) for known in AROUND_TIME
]
_AFTER_TIME = [(shown, regex, re.compile(regex)) for shown, regex in AFTER_TIME]
_TIMELESS = [(shown, regex, re.compile(regex)) for shown, regex in TIMELESS]


def sniff(text: str, leading: bool = True, column: int = 0) -> Layout | None:
    """Return the layout of the header `text` begins with, or None.

    `leading`: columns may come before the time. `column`: as many do, whatever they look like.
    """
    text = text[:2000]
    scan = Scan(text)
    if (known := _around(text)) is not None:
        return known
    priority = re.match(r"<\d{1,3}>(?:1 )?", text)
    if priority:
        scan.add("<priority>", r"<(?P<priority>\d{1,3})>(?:1 )?", priority.end())
    elif bare := _BARE_5424.match(text):
        scan.add("1 ", "1 ", bare.end())
    rfc5424 = text[: scan.at].endswith("1 ")
    if column:
        found = find_time(scan, [column_starts(scan)[column]], named=True)
    else:
        _leading_level(scan)
        found = find_time(scan, starts(scan) if leading else [scan.at])
    if found is None and leading:
        found = find_time(scan, past_columns(text), named=True)
    return _timeless(text) if found is None else _after_time(scan, found, rfc5424)


def _around(text: str) -> Layout | None:
    """Return the layout of a header of which more is known than its parts say."""
    for known, before, after in _AROUND_TIME:
        if (opened := before.match(text)) is None:
            continue
        scan = Scan(text)
        scan.add(known.shown, known.before, opened.end())
        time = find_time(scan, [scan.at])
        if time is not None and (closed := after.match(text, scan.at)) is not None:
            scan.add(known.shown_after, known.after, closed.end())
            return scan.layout(time)
    return None


def _leading_level(scan: Scan) -> None:
    found = LEVEL_HERE.match(scan.text)
    if found and _LEVEL_FIRST.match(scan.text, found.end()):
        add_level(scan, found)
        scan.separator()
        if thread := _THREAD_FIRST.match(scan.text, scan.at):
            scan.add("[<thread>] ", r"\[(?P<thread>[^\[\]]*)\]\s+", thread.end(), "thread")


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
    if DIVIDED.match(text, scan.at):
        divided(scan)
        return scan.layout(time)
    if re.match(CONTAINER, text[scan.at :]):
        scan.add(" <*> <*> ", CONTAINER, scan.at)
        return scan.layout(time)
    if _known(scan) or (time.of_syslog and _syslog(scan)) or (not leading and _tagged(scan)):
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
    if tag is None and not _OF_SYSLOG.match(scan.text, host.end()):
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
    sure = found.group("pid") is not None or found.group("component") == "kernel"
    if not (sure or _MICROSECONDS.search(scan.text, 0, scan.at)):
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
    level = LEVEL_HERE.match(text)
    if level and (headed or _NAMED_LATER.match(text, level.end())):
        add_level(scan, level)
        scan.separator()
        if _NAMED_LATER.match(text, scan.at):
            component(scan, wide=False)
        _trace(scan)
        return scan.layout(None)
    if TRACE.match(text):
        scan.add("TraceID: <trace_id> SpanID: <span_id> ", _TRACE_PART, 0, "trace_id")
        return scan.layout(None)
    return None
