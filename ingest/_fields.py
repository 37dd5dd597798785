"""Which field of a JSON record means what, by the names that loggers, shippers and exporters use.

Names are compared in lower case without `_ - . @`; a field inside an object has the names of both, joined by a dot. The
short ones of Serilog's compact format keep their `@`. What a set of keys means is worked out once and remembered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

Kind = Literal["log", "metrics", "metric", "span"]

_APP_LABELS = ("appkubernetesio/name", "app", "k8sapp")
_NAMES: dict[str, tuple[str, ...]] = {
    "time": (
        "time",
        "timestamp",
        "ts",
        "datetime",
        "date",
        "eventtime",
        "timeunixnano",
        "asctime",
        "tsns",
        "tsus",
        "tsms",
        "timemillis",
        "instant",
        "sourcerealtimetimestamp",  # systemd's journal
        "realtimetimestamp",
        "t",
    ),
    "severity": ("level", "severity", "severitytext", "loglevel", "levelname", "lvl", "@l", "priority"),
    "severity_number": ("severitynumber",),
    "message": (
        *("message", "msg", "renderedmessage", "@m", "body", "log", "event", "shortmessage", "text"),
        *("messagetemplate", "@mt", "logmessage", "logmsg"),
    ),
    "service": (
        *("service", "servicename", "app", "appname", "application", "container", "resource"),
        *("resourceservicename", "resourceattributesservicename"),
        # Kubernetes: the recommended label, those before it, the workload, the container
        *(f"kubernetes{of}labels{label}" for label in _APP_LABELS for of in ("", "pod")),
        *(f"kubernetes{kind}name" for kind in ("deployment", "statefulset", "daemonset", "cronjob", "container")),
        # Docker: the Compose service, the container
        *(f"{of}comdockercomposeservice" for of in ("attrs", "label", "labels", "containerlabels", "dockerlabels")),
        *("containername", "dockercontainername", "kubernetes"),
    ),
    "component": (
        *("logger", "loggername", "loglogger", "sourcecontext", "component", "name", "module", "class", "program"),
        *("category", "channel", "caller", "propertiessourcecontext", "syslogidentifier"),
    ),
    "trace_id": ("traceid", "ddtraceid", "otraceid", "@tr"),
    "span_id": ("spanid", "ddspanid", "@sp"),
    "attributes": ("attributes", "labels", "tags"),
    "metrics": ("metrics",),
    "metric": ("metric", "metricname"),
    "value": ("value",),
    "parent": ("parentspanid", "parentid"),
    "operation": ("operation", "operationname", "spanname", "name"),
    "status": ("status", "statuscode"),
    "pod": ("podname", "pod", "k8spodname"),
    "start": ("starttime", "start", "starttimeunixnano", "time", "timestamp", "startts"),
    "end": ("endtime", "end", "endtimeunixnano"),
    "duration_us": ("durationus", "durationmicros", "duration"),
    "duration_ms": ("durationms", "durationmillis"),
    "duration_ns": ("durationns", "durationnano", "durationnanos"),
}
_LOG = ("time", "severity", "severity_number", "message", "service", "component", "trace_id", "span_id")
_SPAN = ("trace_id", "span_id", "parent", "operation", "service", "status", "start", "end", "attributes")
_DURATIONS = ("duration_us", "duration_ms", "duration_ns")
_MONGODB = {"t": "time", "s": "severity", "c": "component", "ctx": "", "msg": "message"}  # from 4.4 on
_REMEMBER = 4096


@dataclass(frozen=True)
class Shape:
    """What records with one set of keys are: their kind, the key of each meaning, and the keys left over."""

    kind: Kind
    keys: dict[str, str]
    rest: tuple[str, ...] = ()
    known: bool = field(default=False)  # a log record by its keys, not just any JSON object


class Names:
    """The names of every meaning. `own` are further ones, which come first: meaning -> names."""

    def __init__(self, own: Mapping[str, Sequence[str]] | None = None) -> None:
        self._names = dict(_NAMES)
        for meaning, names in (own or {}).items():
            self._names[meaning] = (*map(plain, names), *_NAMES[meaning])
        self._shapes: dict[tuple[str, ...], Shape] = {}

    def read(self, record: dict[str, Any]) -> tuple[dict[str, Any], Shape]:
        """Return a record and what its keys mean; objects inside a log record are spread out into it."""
        shape = self.shape_of(record)
        if shape.kind != "log" or dict not in map(type, record.values()):
            return record, shape
        spread = _spread_out(record)
        inner = self.shape_of(spread)
        return (spread, inner) if inner.kind == "log" else (record, shape)

    def shape_of(self, record: dict[str, Any]) -> Shape:
        """Return what the keys of a record mean."""
        keys = tuple(record)
        found = self._shapes.get(keys)
        if found is None:
            if len(self._shapes) >= _REMEMBER:
                self._shapes.clear()
            found = self._shapes[keys] = self._work_out(keys)
        return found

    def find(self, keys: tuple[str, ...], *meanings: str) -> dict[str, str]:
        """Return for each meaning that one of `keys` has, that key; the first of its names that is there wins."""
        by_name: dict[str, str] = {}
        for key in keys:
            by_name.setdefault(plain(key), key)
            if key.startswith("@"):
                by_name.setdefault(key, key)
        found = {m: next((by_name[n] for n in self._names[m] if n in by_name), None) for m in meanings}
        return {meaning: key for meaning, key in found.items() if key is not None}

    def _work_out(self, keys: tuple[str, ...]) -> Shape:
        log = self.find(keys, *_LOG)
        if _MONGODB.keys() <= set(keys):
            log |= {meaning: key for key, meaning in _MONGODB.items() if meaning}
        metric = self.find(keys, "time", "service", "metrics", "metric", "value", "attributes")
        span = self.find(keys, *_SPAN, *_DURATIONS)
        timed = any(d in span for d in _DURATIONS) or {"start", "end"} <= span.keys()
        if {"trace_id", "span_id", "operation"} <= span.keys() and timed and "message" not in log:
            return Shape("span", span, _rest(keys, span))
        if "metrics" in metric and "message" not in log:
            return Shape("metrics", metric, _rest(keys, metric))
        if {"metric", "value"} <= metric.keys() and "message" not in log:
            return Shape("metric", metric, _rest(keys, metric))
        return Shape("log", log, _rest(keys, log), "message" in log or {"time", "severity"} <= log.keys())


def plain(key: str) -> str:
    """Return a field name as it is compared: lower case, no separators."""
    return key.lower().translate(_SEPARATORS)


_SEPARATORS = str.maketrans("", "", "_-.@ ")
_WHOLE = frozenset(_NAMES["time"] + _NAMES["message"])
_ECS_OBJECTS = ("log", "event")  # messages elsewhere, objects in the Elastic Common Schema


def _spread_out(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with the fields of its objects as its own, named by the way to them: `log.level`.

    A time or a message that is an object stays one. `attributes` is where loggers put what the others have at the top.
    """
    out: dict[str, Any] = {}
    for key, value in record.items():
        name = plain(key)
        if type(value) is not dict or not value or (name in _WHOLE and name not in _ECS_OBJECTS):
            out[key] = value
        else:
            _spread(value, "" if name == "attributes" else f"{key}.", out)
    return out


def _spread(inner: dict[str, Any], prefix: str, out: dict[str, Any]) -> None:
    for key, value in inner.items():
        if type(value) is dict and value:
            _spread(value, f"{prefix}{key}.", out)
        else:
            out.setdefault(prefix + key, value)


def _rest(keys: tuple[str, ...], used: dict[str, str]) -> tuple[str, ...]:
    taken = set(used.values())
    return tuple(key for key in keys if key not in taken)


DEFAULT = Names()
find = DEFAULT.find


def text_of(value: Any) -> str:
    """Return a JSON value as text: strings as they are, anything else as compact JSON."""
    if type(value) is str:
        return value
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def id_of(value: Any) -> str | None:
    """Return a trace or span id as text; empty, null and all-zero ids are none."""
    text = text_of(value) if value is not None else ""
    return text if text.strip("0-") else None


def service_of(value: Any) -> str | None:
    """Return a service name: text, or the name inside a `service`, `resource` or `kubernetes` object."""
    if type(value) is str:
        return value or None
    if not isinstance(value, dict):
        return None if value is None else text_of(value)
    for key in ("name", "service.name", "container_name", "attributes"):
        inner = value.get(key)
        if inner and (found := service_of(inner)):
            return found
    return None
