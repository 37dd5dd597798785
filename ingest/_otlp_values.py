"""OTLP values as text, and what a resource says: its service and its attributes."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

SERVICE = "service.name"
# Where no service is named, the workload is the next best thing.
_SERVICE_OF_LAST_RESORT = (
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
    "k8s.container.name",
    "container.name",
    "faas.name",
)


@dataclass(frozen=True)
class Resource:
    """Who sent a group of records: its service (None: not said) and its other attributes."""

    service: str | None
    attributes: dict[str, str]

    @classmethod
    def of(cls, resource: Any) -> "Resource":
        """Read an OTLP resource; `service.name` is the service and no attribute."""
        found = attributes_of(resource.attributes)
        named = found.pop(SERVICE, "") or next((found[key] for key in _SERVICE_OF_LAST_RESORT if found.get(key)), "")
        return cls(named or None, found)


def attributes_of(pairs: Iterable[Any]) -> dict[str, str]:
    """Return OTLP key-value pairs as text."""
    return {pair.key: pair.value.string_value or text_of(pair.value) for pair in pairs}


def text_of(value: Any) -> str:
    """Return an OTLP value as text: strings as they are, bytes in base64, lists and maps as compact JSON."""
    kind = value.WhichOneof("value")
    if kind is None or kind == "string_value":
        return str(value.string_value)
    plain = plain_of(value)
    return plain if isinstance(plain, str) else orjson.dumps(plain, option=orjson.OPT_NON_STR_KEYS).decode()


def plain_of(value: Any) -> Any:
    """Return an OTLP value as the Python value it stands for; protobuf lets none nest deeper than about 30 levels."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    inner = getattr(value, kind)
    if kind == "kvlist_value":
        return {pair.key: plain_of(pair.value) for pair in inner.values}
    if kind == "array_value":
        return [plain_of(item) for item in inner.values]
    return base64.b64encode(inner).decode() if kind == "bytes_value" else inner


def id_of(raw: bytes) -> str | None:
    """Return a trace or span id as hexadecimal text; one that is empty or all zeros is none."""
    return raw.hex() if raw.strip(b"\0") else None
