"""OTLP messages to rows, protobuf or JSON: what the OpenTelemetry Collector writes to Kafka, and SDKs send by HTTP.

One message is one LogsData, MetricsData or TracesData, which the requests of OTLP/HTTP equal on the wire. The values
of records are gathered into columns message by message; there is no row object in between.
"""

from collections.abc import Sequence
from typing import Any

import telemetry
from ingest._decode import Decoded
from ingest._json import Envelope
from ingest._limits import check_growth
from ingest._otlp_json import message_from_json
from ingest._otlp_logs import read_logs
from ingest._otlp_metrics import read_metrics, rows_of
from ingest._otlp_spans import read_spans
from ingest._protobuf import message_from_protobuf
from ingest._tables import DeadLetters
from telemetry import DecodeError

SIGNALS = ("logs", "metrics", "traces")
_GROUPS = {"logs": "logs", "metrics": "metrics", "traces": "spans"}


def message_type(signal: str) -> Any:
    """Return the protobuf class of a signal's messages: `logs`, `metrics` or `traces`."""
    if signal == "logs":
        from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

        return LogsData
    if signal == "metrics":
        from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

        return MetricsData
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    return TracesData


def from_json(signal: str, value: bytes) -> Any:
    """Return the message in a JSON text. Raises DecodeError (bad_json, too_deep, too_many, too_long)."""
    message = message_from_json(message_type(signal), value.decode("utf-8", "backslashreplace"))
    return _checked(signal, message, len(value))


def from_protobuf(signal: str, value: bytes) -> Any:
    """Return the message in `value`. Raises DecodeError (bad_protobuf, too_many, too_long).

    Text in it that is not UTF-8 makes the whole message one that cannot be read, as the format demands.
    """
    return _checked(signal, message_from_protobuf(message_type(signal), value), len(value))


def _message(signal: str, value: bytes) -> Any:
    """Return the message, JSON or protobuf: the latter begins with a line feed too, and `{` may be its length."""
    if value[:1] == b"\n":
        try:
            return from_protobuf(signal, value)
        except DecodeError as error:
            if error.reason != "bad_protobuf" or value.lstrip()[:1] != b"{":
                raise
    return (from_json if value.lstrip()[:1] == b"{" else from_protobuf)(signal, value)


def _checked(signal: str, message: Any, size: int) -> Any:
    """Return the message. Raises DecodeError if it would grow too much: too_many, too_long."""
    records = shared = 0
    for group in getattr(message, f"resource_{_GROUPS[signal]}"):
        inside = 0
        for scoped in getattr(group, f"scope_{_GROUPS[signal]}"):
            found, repeated = _size_of(signal, scoped)
            inside += found + 1
            shared += repeated + scoped.scope.ByteSize() * found
        records += inside + 1
        shared += group.resource.ByteSize() * inside
    check_growth(records, shared, size)
    return message


def _size_of(signal: str, scoped: Any) -> tuple[int, int]:
    """Return how many rows come of a scope's records, and the bytes that several rows of one record share."""
    if signal == "logs":
        return len(scoped.log_records), 0
    return (len(scoped.spans), 0) if signal == "traces" else rows_of(scoped.metrics)


def decode_otlp(signal: str, values: Sequence[bytes], envelope: Envelope) -> Decoded:
    """Decode messages of one signal, in order; the envelope has one entry a message."""
    observed = int(envelope.observed_us[-1]) if len(values) else 0
    letters = DeadLetters(envelope.partition, observed)
    messages = []
    for index, value in enumerate(values):
        try:
            messages.append((index, _message(signal, value)))
        except DecodeError as error:
            letters.add(int(envelope.offset[index]), error.reason, error.detail, value)
    tables = {
        "lines": telemetry.LINES.empty_table(),
        "metrics": telemetry.METRICS.empty_table(),
        "spans": telemetry.SPANS.empty_table(),
    }
    filtered = 0
    if signal == "logs":
        tables["lines"] = read_logs(messages, envelope, letters)
    elif signal == "metrics":
        tables["metrics"], filtered = read_metrics(messages, envelope, letters)
    else:
        tables["spans"] = read_spans(messages, envelope, letters)
    read = sum(map(len, tables.values())) + letters.units + filtered
    return Decoded(read, filtered, dead_letters=letters.table(), **tables)
