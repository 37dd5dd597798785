"""Prometheus payloads to metric points: the text that scrape targets expose, and remote-write requests (version 1).

The service of a series is its label `service_name`, else `service`, `app` or `job`, of which `namespace/name` gives the
name; else what the message names. All other labels are attributes. Histograms and summaries are series already
(`le`, `quantile`). NaN says that there is no value, be it a stale series or a summary without observations.
A series counts up since a start if a TYPE line says so, or its name does: `_total` or `_bucket`, as by convention.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

import telemetry
from ingest import _times
from ingest._columns import Attributes, Columns, metrics_table
from ingest._compress import codec_of, decompress
from ingest._decode import Decoded
from ingest._json import Envelope
from ingest._limits import check_growth
from ingest._protobuf import message_from_protobuf
from ingest._tables import DeadLetters
from telemetry import DecodeError

_SERVICE_LABELS = ("service_name", "service", "app", "job")
_SAMPLE = re.compile(
    r"[ \t]*([a-zA-Z_:][\w:.]*)(?:[ \t]*\{((?:[^\"}]|\"(?:[^\"\\]|\\.)*\")*)\})?"  # name and labels
    r"[ \t]+(\S+)(?:[ \t]+(-?\d+(?:\.\d+)?))?[ \t]*(?:#.*)?\r?",  # value, time, exemplar
    re.ASCII,
)
_MAX_LINE = 64 * 1024
_REMEMBERED = 1024  # labels this long are remembered; longer ones would make that memory large
_LABEL = re.compile(r'\s*([a-zA-Z_][\w.]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)', re.ASCII)
_ESCAPE = re.compile(r"\\(.)")
_TYPE = re.compile(r"\s*# TYPE ([a-zA-Z_:][\w:.]*) (counter|histogram|summary)\s*$", re.ASCII)
_COMMENT = re.compile(rb"\s*# (?:HELP|TYPE) ")


def looks_like_text_format(value: bytes) -> bool:
    """Tell whether a message is Prometheus text: it begins with a HELP or TYPE line, as exporters write it."""
    return value[:1] in (b"#", b" ", b"\n") and _COMMENT.match(value) is not None


@dataclass
class _Series:
    """Columns of points being gathered."""

    owner: list[int] = field(default_factory=list)
    services: list[str | None] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)  # since 1970, in a unit told by size
    attributes: Attributes = field(default_factory=Attributes)
    cumulative: list[bool] = field(default_factory=list)

    def add(self, message: int, name: str, labels: "_Labels", value: float, time: float, counts: bool = False) -> None:
        self.owner.append(message)
        self.services.append(labels.service)
        self.names.append(name)
        self.values.append(value)
        self.times.append(time)
        self.attributes.add(labels.attributes)
        self.cumulative.append(counts or name.endswith(("_total", "_bucket")))

    def decoded(self, envelope: Envelope, letters: DeadLetters) -> Decoded:
        default = envelope.service.to_pylist()
        columns = Columns(
            {
                "time": _times.from_epoch(np.array(self.times, np.float64))[0],
                "service": [s or default[o] or "unknown" for s, o in zip(self.services, self.owner, strict=True)],
                "metric": self.names,
                "value": np.array(self.values, np.float64),
                "cumulative": self.cumulative,
            },
            self.attributes,
            self.owner,
            envelope,
        )
        metrics, absent = metrics_table(columns, letters)
        none = telemetry.LINES.empty_table(), telemetry.SPANS.empty_table()
        read = len(metrics) + absent + letters.units
        return Decoded(read, absent, none[0], metrics, none[1], letters.table())


@dataclass(frozen=True)
class _Labels:
    service: str | None
    attributes: dict[str, str]

    @classmethod
    def of(cls, labels: dict[str, str]) -> "_Labels":
        key = next((name for name in _SERVICE_LABELS if labels.get(name)), None)
        if key is None:
            return cls(None, labels)
        rest = {name: value for name, value in labels.items() if name != key}
        return cls(labels[key].rpartition("/")[2] or labels[key], rest)


def _letters(values: Sequence[bytes], envelope: Envelope) -> DeadLetters:
    return DeadLetters(envelope.partition, int(envelope.observed_us[-1]) if len(values) else 0)


# -- the text format --------------------------------------------------------------------------------------------------


def decode_text(values: Sequence[bytes], envelope: Envelope) -> Decoded:
    """Decode messages of text exposition format, or OpenMetrics; a sample without a time has that of the message.

    A line that is no sample becomes a dead letter and the next goes on; comments and blank lines count as nothing.
    """
    letters, series = _letters(values, envelope), _Series()
    for index, value in enumerate(values):
        text = value.decode("utf-8", "backslashreplace")
        observed = int(envelope.observed_us[index])
        counted: set[str] = set()
        for line in text.split("\n"):
            if not line.strip() or line.lstrip().startswith("#"):
                counted |= _counted(line)
                continue
            try:
                name, labels, number, time = _sample(line, observed)
                series.add(index, name, labels, number, time, name in counted)
            except DecodeError as error:
                letters.add(int(envelope.offset[index]), error.reason, error.detail, line)
    return series.decoded(envelope, letters)


def _counted(comment: str) -> set[str]:
    """Return the names of the series that count up, by a TYPE line."""
    found = _TYPE.match(comment)
    if found is None:
        return set()
    name, kind = found.groups()
    return {name} if kind == "counter" else {f"{name}_count", f"{name}_sum"}


def _sample(line: str, observed: int) -> tuple[str, _Labels, float, float]:
    found = _SAMPLE.fullmatch(line) if len(line) <= _MAX_LINE else None
    if found is None:
        raise DecodeError("bad_metric", f"not a Prometheus sample: {line:.100}")
    name, labels, value, stamp = found.groups()
    try:
        number = float(value)  # reads NaN, +Inf and -Inf as Prometheus writes them
    except ValueError:
        raise DecodeError("bad_value", f"metric {name:.100} is {value:.60}, want a number") from None
    labels = labels or ""
    known = _known_labels(labels) if len(labels) <= _REMEMBERED else _labels(labels)
    return name, known, number, observed if stamp is None else float(stamp)


def _labels(text: str) -> _Labels:
    """Return the labels inside braces. Raises DecodeError."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text.rstrip()):
        label = _LABEL.match(text, at)
        if label is None:
            raise DecodeError("bad_metric", f"not a Prometheus label: {text[at : at + 100]}")
        found[label[1]] = _ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], label[2])
        at = label.end()
    return _Labels.of(found)


_known_labels = lru_cache(maxsize=16_384)(_labels)  # those of a series repeat with every scrape


# -- remote write -----------------------------------------------------------------------------------------------------


def decode_remote_write(values: Sequence[bytes], envelope: Envelope) -> Decoded:
    """Decode remote-write requests, version 1: a snappy block (or what it holds) of a protobuf WriteRequest."""
    letters, series = _letters(values, envelope), _Series()
    for index, value in enumerate(values):
        try:
            _read_request(index, _plain(value), series)
        except DecodeError as error:
            letters.add(int(envelope.offset[index]), error.reason, error.detail, value)
    return series.decoded(envelope, letters)


def _plain(value: bytes) -> bytes:
    # A bare snappy block has no mark, but a request is never one by accident: it begins with field 1 or 3, of a length.
    try:
        return value and bytes(decompress(codec_of(value) or "snappy", value))
    except DecodeError as error:
        if error.reason == "bad_compression" and value[:1] in (b"\x0a", b"\x1a"):
            return value
        raise


def _read_request(message: int, data: bytes, series: _Series) -> None:
    request = message_from_protobuf(write_request(), data)
    counts = [len(one.samples) for one in request.timeseries]
    shared = sum(count * one.ByteSize() for count, one in zip(counts, request.timeseries, strict=True) if count > 1)
    check_growth(sum(counts) + len(counts), shared, len(data))
    for one in request.timeseries:
        labels = {label.name: label.value for label in one.labels}
        name = labels.pop("__name__", "")
        if not name and one.samples:
            raise DecodeError("bad_metric", f"a series without a name; its labels are {labels}")
        known = _Labels.of(labels)
        for sample in one.samples:
            series.add(message, name, known, sample.value, sample.timestamp)


@lru_cache(maxsize=1)
def write_request() -> Any:
    """Return the message class of a remote-write request, of the fields that are read here; others are skipped.

    Prometheus remote-write specification 1.0, https://prometheus.io/docs/specs/prw/remote_write_spec/.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped]

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="faultline/remote_write.proto", package="faultline.prometheus")
    file.syntax = "proto3"
    for name, fields in _messages(kinds):
        message = file.message_type.add(name=name)
        for number, (field_name, kind, label, type_name) in enumerate(fields, 1):
            message.field.add(name=field_name, number=number, type=kind, label=label, type_name=type_name)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("faultline.prometheus.WriteRequest"))


def _messages(kinds: Any) -> Iterator[tuple[str, list[tuple[str, Any, Any, str | None]]]]:
    one, many, text = kinds.LABEL_OPTIONAL, kinds.LABEL_REPEATED, kinds.TYPE_STRING

    def list_of(name: str, message: str) -> tuple[str, Any, Any, str]:
        return name, kinds.TYPE_MESSAGE, many, f".faultline.prometheus.{message}"

    yield "Label", [("name", text, one, None), ("value", text, one, None)]
    yield "Sample", [("value", kinds.TYPE_DOUBLE, one, None), ("timestamp", kinds.TYPE_INT64, one, None)]
    yield "TimeSeries", [list_of("labels", "Label"), list_of("samples", "Sample")]
    yield "WriteRequest", [list_of("timeseries", "TimeSeries")]
