"""OTLP spans to columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from ingest._columns import Attributes, Columns, spans_table
from ingest._json import Envelope
from ingest._otlp_values import Resource, attributes_of, id_of
from ingest._tables import DeadLetters

_STATUS = ("unset", "ok", "error")
_KINDS = ("", "internal", "server", "client", "producer", "consumer")


def read_spans(messages: Sequence[tuple[int, Any]], envelope: Envelope, letters: DeadLetters) -> pa.Table:
    """Return SPANS rows.

    What a span has no column for is an attribute: `span.kind`, `otel.scope.name`, `otel.status_description`,
    `w3c.tracestate`; `events` and `links` are JSON.
    """
    spans: list[Any] = []
    owner: list[int] = []
    services: list[str] = []
    attributes = Attributes()
    default = envelope.service.to_pylist()
    for index, data in messages:
        for group in data.resource_spans:
            resource = Resource.of(group.resource)
            for scoped in group.scope_spans:
                count = len(scoped.spans)
                spans.extend(scoped.spans)
                owner.extend([index] * count)
                services.extend([resource.service or default[index] or "unknown"] * count)
                shared = resource.attributes
                if scoped.scope.name:
                    shared = shared | {"otel.scope.name": scoped.scope.name}
                for span in scoped.spans:
                    attributes.add({**shared, **attributes_of(span.attributes), **_more(span)})
    starts = np.array([span.start_time_unix_nano for span in spans], np.uint64)
    ends = np.array([span.end_time_unix_nano for span in spans], np.uint64)
    columns = {
        "time": (starts // 1000).astype(np.int64),
        "duration_us": (ends // 1000).astype(np.int64) - (starts // 1000).astype(np.int64),
        "trace_id": [id_of(span.trace_id) for span in spans],
        "span_id": [id_of(span.span_id) for span in spans],
        "parent_span_id": [id_of(span.parent_span_id) for span in spans],
        "service": services,
        "operation": [span.name for span in spans],
        "status": [_STATUS[code] if 0 <= (code := span.status.code) < 3 else "unset" for span in spans],
    }
    return spans_table(Columns(columns, attributes, owner, envelope), letters)


def _more(span: Any) -> dict[str, str]:
    found = {}
    if 0 < span.kind < len(_KINDS):
        found["span.kind"] = _KINDS[span.kind]
    if span.status.message:
        found["otel.status_description"] = span.status.message
    if span.trace_state:
        found["w3c.tracestate"] = span.trace_state
    if span.events:
        found["events"] = orjson.dumps([_event(event) for event in span.events]).decode()
    if span.links:
        found["links"] = orjson.dumps([_link(link) for link in span.links]).decode()
    return found


def _event(event: Any) -> dict[str, Any]:
    return {"time_us": event.time_unix_nano // 1000, "name": event.name, **attributes_of(event.attributes)}


def _link(link: Any) -> dict[str, Any]:
    return {"trace_id": id_of(link.trace_id), "span_id": id_of(link.span_id), **attributes_of(link.attributes)}
