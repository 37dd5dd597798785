"""Severity words and numbers (OpenTelemetry log data model: TRACE 1, DEBUG 5, INFO 9, WARN 13, ERROR 17, FATAL 21)."""

_WORDS = {
    1: ("trace", "trc", "trce", "trac", "verbose", "v", "finest", "t"),
    5: ("debug", "dbg", "dbug", "debu", "fine", "finer", "d"),
    9: ("info", "inf", "information", "informational", "i", "config", "ok", "system"),
    10: ("notice", "note"),
    13: ("warn", "warning", "wrn", "w"),
    17: ("error", "err", "erro", "e", "eror", "severe", "failure", "fail"),
    21: (
        "fatal",
        "fata",
        "pani",
        "crit",
        "critical",
        "f",
        "c",
        "ftl",
        "alert",
        "emerg",
        "emergency",
        "panic",
        "dpanic",
    ),
}
_NUMBER = {word: number for number, words in _WORDS.items() for word in words}

ERROR_SEVERITY = 17
"""Records at or above this severity number are errors."""


def severity_number(text: str | None) -> int | None:
    """Return the OpenTelemetry severity number of a level as loggers write it, or None if it is not one."""
    return _NUMBER.get(text.strip().lower()) if text else None


def syslog_severity_number(priority: int) -> int:
    """Return the OpenTelemetry severity number of a syslog priority value (RFC 5424: severity = priority mod 8)."""
    return (21, 21, 21, 17, 13, 10, 9, 5)[priority % 8]
