"""A header layout: the elements before the message, as people write them and as one RE2 expression."""

from dataclasses import dataclass
from functools import cache, cached_property

import re2

from parsing._times import BY_NAME, TIME_LAYOUTS, TimeLayout
from telemetry import SettingsError

LEVEL_WORDS = (
    "TRACE|DEBUG|INFORMATION|INFO|NOTICE|WARNING|WARN|ERROR|SEVERE|FATAL|CRITICAL|CRIT|ALERT|EMERGENCY|EMERG|PANIC|FAILURE"
    "|FINEST|FINER|FINE|CONFIG|VERBOSE|INF|WRN|DBG|ERR|FTL|TRC"
)

CODED_LEVELS = "LOG|ERROR|WARNING|FATAL|PANIC|NOTICE|INFO|DEBUG|STATEMENT|DETAIL|HINT|CONTEXT|QUERY|LOCATION|BACKTRACE"
"""What PostgreSQL writes before the colon."""

CONTAINER = r"\s+(?:stdout|stderr) [FP] "
"""What a container runtime (CRI) writes between the time and a line of the program it runs."""


@dataclass(frozen=True)
class Layout:
    """`pattern` is what people read and may set; `regex` has named groups: time, level, priority,
    component, service, pid, thread, host, client, user, database, trace_id, span_id, data, message (a 2 after
    the name: a second try).

    `time` is the layout of the group `time`, None if the header has none. `columns` counts header elements.
    """

    pattern: str
    regex: str
    time: TimeLayout | None
    columns: int = 0

    @cached_property
    def timed(self) -> bool:
        """Return whether the header has a time."""
        return "(?P<time>" in self.regex

    @cached_property
    def names(self) -> frozenset[str]:
        """Return the fields the header may have."""
        return frozenset(name.rstrip("2") for name in _GROUP.findall(self.regex))

    @cached_property
    def wraps(self) -> bool:
        """Return whether a container runtime wrote it: the message is a line of its own kind."""
        return CONTAINER in self.regex

    @property
    def bare(self) -> bool:
        """Return whether the header is only a time."""
        return self.columns == 0


_ELEMENTS = {
    "level": rf"(?P<level>(?i:{LEVEL_WORDS})|[A-Z])",
    "severity": rf"(?P<level>(?i:{LEVEL_WORDS})|[A-Z])",
    "component": r"(?P<component>.*?)",
    "logger": r"(?P<component>.*?)",
    "service": r"(?P<service>\S+?)",
    "pid": r"(?P<pid>\d+)",
    "tid": r"(?P<thread>\d+)",
    "thread": r"(?P<thread>.*?)",
    "host": r"(?P<host>\S+?)",
    "trace_id": r"(?P<trace_id>[0-9a-fA-F-]+)",
    "span_id": r"(?P<span_id>[0-9a-fA-F-]+)",
    "priority": r"(?P<priority>\d{1,3})",
    "client": r"(?P<client>\S+?)",
    "user": r"(?P<user>\S*?)",
    "database": r"(?P<database>\S*?)",
    "data": r"(?P<data>\S*?)",
    "message": r"(?P<message>.*)",
    "*": r".*?",
}
_GROUP = re2.compile(r"\(\?P<([a-z_]+2?)>")
_ELEMENT = re2.compile(r"<([a-z_]+(?::[^<>]*)?|\*)>")

NAMED_FORMATS = {
    "syslog": "<time:%b %d %H:%M:%S.%f> <host> <component>[<pid>]: <message>",
    "log4j": "<time:%Y-%m-%d %H:%M:%S.%f %z> <level> [<thread>] <component>: <message>",
    "logback": "<time:%H:%M:%S.%f> [<thread>] <level> <component> - <message>",
    "spring": "<time:%Y-%m-%d %H:%M:%S.%f %z> <level> <pid> --- [<thread>] <component> : <message>",
    "python": "<time:%Y-%m-%d %H:%M:%S.%f %z> - <component> - <level> - <message>",
    "logcat": "<time:%m-%d %H:%M:%S.%f> <pid> <tid> <level> <component>: <message>",
    "cbs": "<time:%Y-%m-%d %H:%M:%S.%f %z>, <level> <component> <message>",
}
"""Formats that can be asked for by name; "auto" finds these and many more by itself."""


def pattern_layout(pattern: str) -> Layout:
    """Return the layout a user's pattern describes: elements in angle brackets, everything else literal.

    A blank matches any run of blanks. `<time>` (or `<date>` and `<time>`) stands for a time of any known layout,
    `<time:LAYOUT>` for one of them, `<*>` for anything. Raises SettingsError for an unknown element or a pattern that
    does not end with <message>.
    """
    pattern = NAMED_FORMATS.get(pattern, pattern)
    if not pattern.endswith("<message>"):
        raise SettingsError(
            f"format {pattern!r} is neither auto, message, one of {', '.join(sorted(NAMED_FORMATS))}, "
            "nor a pattern that ends with <message>"
        )
    regex, end, time, columns, seen = "", 0, None, 0, set[str]()
    merged = pattern.replace("<date> <time>", "<time>")
    for found in _ELEMENT.finditer(merged):
        regex += _literal(merged[end : found.start()])
        end = found.end()
        name, _, argument = found.group(1).partition(":")
        if name in seen and name != "*":
            raise SettingsError(f"format {pattern!r} names <{name}> twice")
        seen.add(name)
        if name == "time":
            time, part = _time_element(argument, pattern)
            regex += part
            continue
        if name not in _ELEMENTS:
            raise SettingsError(f"format {pattern!r} has <{name}>; want one of time, {', '.join(sorted(_ELEMENTS))}")
        regex += _ELEMENTS[name]
        columns += 1
    return Layout(pattern, regex, time, columns)


def _time_element(argument: str, pattern: str) -> tuple[TimeLayout | None, str]:
    if argument:
        if argument not in BY_NAME:
            raise SettingsError(f"format {pattern!r} has time {argument!r}; want one of {', '.join(sorted(BY_NAME))}")
        layout = BY_NAME[argument]
        return layout, f"(?P<time>{layout.regex})"
    return None, f"(?P<time>{'|'.join(layout.regex for layout in TIME_LAYOUTS)})"


def _literal(text: str) -> str:
    parts = (re2.escape(part) for part in text.split(" "))
    return r"\s+".join(parts)


@cache
def compiled(regex: str) -> "re2._Regexp":
    """Return the compiled whole-line expression of a layout."""
    return re2.compile(whole(regex))


def whole(regex: str) -> str:
    """Return the expression anchored at both ends, a dot matching every character."""
    return rf"(?s)^{regex}$"
