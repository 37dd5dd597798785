"""Values as people read them: times, ages, numbers, shares, and log text made safe to show."""

import html
import string
import unicodedata
from datetime import UTC, datetime

SECOND_US = 1_000_000
# Markdown shows an escaped character as it is; a joiner of no width keeps `:name:` from becoming an icon.
_MARKUP = {c: f"\\{c}" for c in string.punctuation} | {":": "\\:\u2060", "\n": " "}
_SEVERITIES = ((21, "FATAL"), (17, "ERROR"), (13, "WARN"), (9, "INFO"), (5, "DEBUG"), (1, "TRACE"))
ROLES = {"root_cause": "Root cause", "symptom": "Symptom", "unclear": "Unclear"}
VERDICTS = {"root_cause_found": "Root cause found", "insufficient_evidence": "Not enough evidence"}
EVENTS = {
    "open": "Opened",
    "join": "Service joined",
    "rank": "Suspects ranked",
    "acknowledge": "Acknowledged",
    "resolve": "Resolved",
    "reopen": "Reopened",
    "feedback": "Feedback",
}


def moment(us: int) -> datetime:
    """Return microseconds since the epoch as an aware UTC datetime."""
    return datetime.fromtimestamp(us / SECOND_US, UTC)


def clock(us: int, day_of: int | None = None) -> str:
    """Return a time as `12:03:10 UTC`, with the date before it unless it is the same day as `day_of`."""
    when = moment(us)
    same_day = day_of is not None and moment(day_of).date() == when.date()
    return when.strftime("%H:%M:%S UTC" if same_day else "%Y-%m-%d %H:%M:%S UTC")


def duration(us: int) -> str:
    """Return a length of time in one or two units: `8 s`, `4 min`, `2 h 5 min`, `3 d 4 h`."""
    seconds = max(0, round(us / SECOND_US))
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"


def age(us: int, now: int) -> str:
    """Return how long ago a time was: `4 min ago`."""
    return "in the future" if us > now + SECOND_US else f"{duration(now - us)} ago"


def lag(us: int) -> str:
    """Return a signed distance from the onset: `+01:20`, or in words from an hour on."""
    sign, seconds = "−" if us < 0 else "+", abs(us) // SECOND_US
    return sign + (f"{seconds // 60:02}:{seconds % 60:02}" if seconds < 3600 else duration(abs(us)))


def number(value: float | None) -> str:
    """Return a number with three significant digits, thousands apart, `–` for none."""
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percent(share: float | None) -> str:
    """Return a share of 0 to 1 as whole percent, `–` for none."""
    return "–" if share is None else f"{share:.0%}".replace("%", " %")


def plural(count: int, noun: str) -> str:
    """Return `1 error`, `3 errors`, `no errors`."""
    return f"{f'{count:,}' if count else 'no'} {noun}{'' if count == 1 else 's'}"


def severity(value: int | None) -> str:
    """Return the name of an OpenTelemetry severity number, empty where there is none."""
    return next((name for least, name in _SEVERITIES if value is not None and value >= least), "")


def visible(text: str) -> str:
    """Return text with control and direction-changing characters written out, so that it cannot mislead a reader.

    Line breaks and tabs stay. The result is still plain text and has to be shown as such.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs") else _code(c) for c in text)


def _code(char: str) -> str:
    point = ord(char)
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def markdown(text: str) -> str:
    """Return text for a label that Streamlit reads as Markdown, so that it shows exactly the text."""
    return "".join(_MARKUP.get(c, c) for c in visible(text))


def tag(name: str, *children: str, style: str = "", **attributes: str) -> str:
    """Return an HTML element whose children are HTML already; use `escaped` for every text in it."""
    shown = {"class": attributes.pop("css", ""), "style": style, **attributes}
    pairs = "".join(f' {key}="{html.escape(value)}"' for key, value in shown.items() if value)
    return f"<{name}{pairs}>{''.join(children)}</{name}>"


def escaped(text: object, limit: int = 400) -> str:
    """Return any text as HTML that shows exactly it: cut at `limit`, controls written out, markup escaped."""
    shown = str(text)
    if len(shown) > limit:
        shown = shown[: limit - 1] + "…"
    return html.escape(visible(shown))
