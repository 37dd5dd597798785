"""JSON and logfmt lines that arrive as raw text: their header fields by the usual names."""

import re
from functools import lru_cache
from typing import Any

import orjson

_NAMES = {
    "time": ("time", "timestamp", "ts", "t", "@t", "datetime", "date", "asctime"),
    "level": ("level", "severity", "lvl", "loglevel", "levelname", "severitytext", "@l"),
    "message": ("message", "msg", "renderedmessage", "shortmessage", "@m", "@mt", "log", "event", "body", "text"),
    "service": ("service", "servicename", "app", "application"),
    "component": ("logger", "loggername", "sourcecontext", "component", "name", "caller", "module"),
    "thread": ("thread", "threadname"),
    "pid": ("pid", "process"),
    "trace_id": ("traceid", "@tr"),
    "span_id": ("spanid", "@sp"),
}
_FIELD = {name: field for field, names in _NAMES.items() for name in names}
_MONGODB = {"t": "time", "s": "level", "c": "component", "ctx": "thread", "msg": "message"}  # from 4.4 on
_SEPARATORS = str.maketrans("", "", "_-.@")
_PAIR_TEXT = r'([A-Za-z_@][\w.@-]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?:\s+|$)'
AUDIT = ("type=", "node=")
"""How lines of Linux' audit daemon begin: pairs, but with a header of their own kind."""
PAIR, PAIRS = re.compile(_PAIR_TEXT), re.compile(f"(?>{_PAIR_TEXT})+")  # atomic: no way back, so linear
MOST_ATTRIBUTES = 64


def read_structured(text: str) -> tuple[dict[str, str], dict[str, str]] | None:
    """Return (header fields with `message`, other attributes) of a JSON object or logfmt line, or None."""
    pairs = _json_pairs(text) if text.startswith("{") else _logfmt_pairs(text)
    if pairs is None:
        return None
    fields: dict[str, str] = {}
    attributes: dict[str, str] = {}
    own = _MONGODB if _MONGODB.keys() <= pairs.keys() else {}
    for name, value in pairs.items():
        field = own.get(name) or field_of(name)
        value = value.get("$date", value) if isinstance(value, dict) else value
        if value is None:
            continue
        if field is not None and field not in fields:
            fields[field] = _text(value)
        elif len(attributes) < MOST_ATTRIBUTES:
            attributes[name] = _text(value)
    return (fields, attributes) if "message" in fields else None


@lru_cache(maxsize=4096)
def field_of(name: str) -> str | None:
    """Return the header field that goes by this name."""
    return _FIELD.get(name.lower()) or _FIELD.get(name.lower().translate(_SEPARATORS))


_ELEMENT = re.compile(r'\[([^\s\]="]+)((?: [^\s\]="]+="(?:[^"\\\]]|\\.)*")*) *\]', re.DOTALL)
_PARAM = re.compile(r' ([^\s\]="]+)="((?:[^"\\\]]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\\]])')


def read_elements(text: str) -> dict[str, str]:
    """Return the parameters of the structured data of a syslog message (RFC 5424, 6.3), as `element.parameter`."""
    found: dict[str, str] = {}
    for element, params in _ELEMENT.findall(text):
        for name, value in _PARAM.findall(params):
            if len(found) < MOST_ATTRIBUTES:
                found[f"{element}.{name}"] = _ESCAPED.sub(r"\1", value)
    return found


def _json_pairs(text: str) -> dict[str, Any] | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _logfmt_pairs(text: str) -> dict[str, Any] | None:
    if text.startswith(AUDIT) and " msg=audit(" in text:
        return None
    if PAIRS.fullmatch(text) is None:
        return None
    pairs = {name: _unquoted(value) if value[:1] == '"' else value for name, value in PAIR.findall(text)}
    return pairs if len(pairs) >= 3 else None


def _unquoted(value: str) -> str:
    if "\\" not in value:
        return value[1:-1]
    try:
        return str(orjson.loads(value))
    except orjson.JSONDecodeError:
        return value[1:-1]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
