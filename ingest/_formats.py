"""What a message holds, and what decodes it: told by its topic and first bytes where no setting says.

The answer never depends on other messages, so that where a batch begins changes nothing.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from ingest import _prometheus
from ingest._decode import Decoded
from ingest._json import Envelope
from ingest._otlp import decode_otlp

AUTO = "auto"
LINES, LOGS, JSON = "lines", "json_logs", "json"
OTLP_LOGS, OTLP_METRICS, OTLP_TRACES = "otlp_logs", "otlp_metrics", "otlp_traces"
PROMETHEUS, REMOTE_WRITE = "prometheus", "remote_write"

TEXT = (LINES, LOGS, JSON)
"""Formats of newline-separated records; one message of any other is decoded as a whole."""

_Decoder = Callable[[Sequence[bytes], Envelope], Decoded]
_DECODERS: dict[str, _Decoder] = {
    OTLP_LOGS: lambda values, envelope: decode_otlp("logs", values, envelope),
    OTLP_METRICS: lambda values, envelope: decode_otlp("metrics", values, envelope),
    OTLP_TRACES: lambda values, envelope: decode_otlp("traces", values, envelope),
    PROMETHEUS: _prometheus.decode_text,
    REMOTE_WRITE: _prometheus.decode_remote_write,
}
FORMATS = (AUTO, *TEXT, *_DECODERS)

_OTLP_JSON = re.compile(rb'\s*\{\s*"resource_?(Logs|Metrics|Spans|logs|metrics|spans)"\s*:')
_OTLP_OF = {b"logs": OTLP_LOGS, b"metrics": OTLP_METRICS, b"spans": OTLP_TRACES}
_TOPIC_WORDS = (("metric", OTLP_METRICS), ("span", OTLP_TRACES), ("trace", OTLP_TRACES), ("log", OTLP_LOGS))
_JSON_HEADS = (b'{"', b"{ ", b"{}", b"[{", b"[[")
SPECIAL = (b"{", b"[", b"#", b" ", b"\n", b"\t", b"\r")
"""What a message begins with that may be more than lines; all others are of one format."""


def decode_whole(format: str, values: Sequence[bytes], envelope: Envelope) -> Decoded:
    """Decode messages of a format that is not text; the envelope has one entry a message."""
    return _DECODERS[format](values, envelope)


def format_of(topic: str, value: bytes) -> str:
    """Return the format of a message.

    OTLP's JSON tells itself; of its protobuf, which does not say what it holds, the topic's name must speak of logs,
    metrics, spans or traces. Remote write is never found: bare snappy has no mark.
    """
    signal, data = _meaning(topic)
    plain = JSON if data else LINES
    if value[:1] not in SPECIAL:
        return plain
    if value[:1] == b"\n" and signal and _is_list_of_messages(value):
        return signal
    if found := _OTLP_JSON.match(value[:1024]):
        return _OTLP_OF[found[1].lower()]
    if _prometheus.looks_like_text_format(value):
        return PROMETHEUS
    return LOGS if not data and value.lstrip()[:2] in _JSON_HEADS else plain


@lru_cache(maxsize=1024)
def _meaning(topic: str) -> tuple[str | None, bool]:
    """Return the OTLP signal that a topic's name speaks of, and whether its records are no log lines."""
    signal = next((signal for word, signal in _TOPIC_WORDS if word in topic.lower()), None)
    return signal, signal in (OTLP_METRICS, OTLP_TRACES)


def _is_list_of_messages(value: bytes) -> bool:
    """Whether `value` is, byte for byte, fields number 1 with a length, as every OTLP message is: no text is that."""
    at = 0
    while at < len(value):
        if value[at] != 0x0A:
            return False
        size = shift = 0
        while True:
            at += 1
            if at >= len(value) or shift > 28:
                return False
            size |= (value[at] & 127) << shift
            shift += 7
            if value[at] < 128:
                break
        at += 1 + size
    return at == len(value) and len(value) > 2
