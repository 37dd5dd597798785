"""OTLP metrics to points, under the names OpenTelemetry gives them when it writes for Prometheus.

| kind | points |
|---|---|
| gauge, sum | `name`; a cumulative sum that only grows is `name_total` |
| histogram | `name_count`, `name_sum`, `name_min`, `name_max`, and `name_bucket` with `le`: all up to that bound |
| exponential histogram | `name_count`, `name_sum`, `name_min`, `name_max`, and `name` with `quantile` 0.5, 0.9, 0.99 |
| summary | `name_count`, `name_sum`, and `name` with each `quantile` sent |

The bounds of an exponential histogram move as it grows, so its buckets would be no series: quantiles are. They are the
geometric middle of their bucket: off by less than the histogram's own resolution. Points that count since the export
before carry the attribute `temporality` = `delta`; counts without it are since the start of the process.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ingest._columns import Attributes, Columns, metrics_table
from ingest._json import Envelope
from ingest._otlp_values import Resource, attributes_of
from ingest._tables import DeadLetters

_DELTA = 1
_NO_VALUE = 1  # flag: the series has ended
_QUANTILES = (0.5, 0.9, 0.99)
_COUNTED = ("_count", "_sum", "_bucket")  # parts that count up since the start, unless temporality is delta
_Value = tuple[str, float, Mapping[str, str]]


class _Points:
    """Columns of points being gathered."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.values: list[float] = []
        self.nanos: list[int] = []
        self.attributes = Attributes()
        self.cumulative: list[bool] = []

    def add(self, name: str, value: float, nanos: int, attributes: Mapping[str, str], cumulative: bool) -> None:
        self.names.append(name)
        self.values.append(value)
        self.cumulative.append(cumulative)
        self.nanos.append(nanos)
        self.attributes.add(attributes)


def read_metrics(messages: Sequence[tuple[int, Any]], envelope: Envelope, letters: DeadLetters) -> tuple[pa.Table, int]:
    """Return METRICS rows and how many points were left out because they say "no value"."""
    points = _Points()
    owner: list[int] = []
    services: list[str] = []
    default = envelope.service.to_pylist()
    for index, data in messages:
        for group in data.resource_metrics:
            resource = Resource.of(group.resource)
            before = len(points.names)
            for scoped in group.scope_metrics:
                shared = resource.attributes
                if scoped.scope.name:
                    shared = shared | {"otel.scope.name": scoped.scope.name}
                for metric in scoped.metrics:
                    _read(metric, shared, points)
            count = len(points.names) - before
            owner.extend([index] * count)
            services.extend([resource.service or default[index] or "unknown"] * count)
    columns = {
        "time": (np.array(points.nanos, np.uint64) // 1000).astype(np.int64),
        "service": services,
        "metric": points.names,
        "value": np.array(points.values, np.float64),
        "cumulative": points.cumulative,
    }
    return metrics_table(Columns(columns, points.attributes, owner, envelope), letters)


def rows_of(metrics: Iterable[Any]) -> tuple[int, int]:
    """Return how many rows come of metrics, and the bytes of names and attributes that all rows of a point repeat."""
    rows = shared = 0
    for metric in metrics:
        kind = metric.WhichOneof("data")
        points = getattr(metric, kind).data_points if kind else ()
        count = len(points)
        if kind in _PARTS:
            parts = [
                4 + len(getattr(point, "bucket_counts", getattr(point, "quantile_values", ""))) for point in points
            ]
            shared += sum(part * point.ByteSize() for part, point in zip(parts, points, strict=True))
            count = sum(parts)
        rows += count + 1
        shared += len(metric.name) * count
    return rows, shared


def _read(metric: Any, shared: dict[str, str], points: _Points) -> None:
    kind = metric.WhichOneof("data")
    if kind is None:
        return
    data = getattr(metric, kind)
    delta = getattr(data, "aggregation_temporality", 0) == _DELTA
    base = shared | {"temporality": "delta"} if delta else shared
    name = metric.name
    counter = kind == "sum" and data.is_monotonic and not delta
    if counter and not name.endswith("_total"):
        name += "_total"
    for point in data.data_points:
        notes = {**base, **attributes_of(point.attributes)}
        if point.flags & _NO_VALUE:
            points.add(name, math.nan, point.time_unix_nano, notes, False)
        elif kind in ("gauge", "sum"):
            points.add(name, point.as_double or point.as_int, point.time_unix_nano, notes, counter)
        else:
            for suffix, value, more in _PARTS[kind](point):
                counts = not delta and suffix in _COUNTED
                points.add(name + suffix, value, point.time_unix_nano, {**notes, **more} if more else notes, counts)


def _totals(point: Any) -> Iterator[_Value]:
    yield "_count", point.count, {}
    for part in ("sum", "min", "max"):
        if point.HasField(part):
            yield f"_{part}", getattr(point, part), {}


def _histogram(point: Any) -> Iterator[_Value]:
    yield from _totals(point)
    below = 0
    bounds = [*map(_number, point.explicit_bounds), "+Inf"]
    for bound, count in zip(bounds, point.bucket_counts, strict=False):
        below += count
        yield "_bucket", below, {"le": bound}


def _exponential(point: Any) -> Iterator[_Value]:
    yield from _totals(point)
    middles, counts = _exponential_buckets(point)
    total = counts.sum()
    if not total:
        return
    at = np.searchsorted(np.cumsum(counts), np.array(_QUANTILES) * total)
    for quantile, place in zip(_QUANTILES, at.tolist(), strict=True):
        yield "", float(middles[min(place, len(middles) - 1)]), {"quantile": _number(quantile)}


def _exponential_buckets(point: Any) -> tuple[Any, Any]:
    """Return the middle and the count of each bucket, from the least value up; bucket i is (b^i, b^(i+1)], b = 2^2^-s.

    OpenTelemetry, metrics data model, "exponential histogram".
    """
    step = 2.0**-point.scale

    def middles(side: Any) -> Any:
        places = side.offset + np.arange(len(side.bucket_counts)) + 0.5
        return np.exp2(np.clip(places * step, -1074, 1023.999))

    negative, positive = point.negative, point.positive
    values = np.concatenate([-middles(negative)[::-1], [0.0], middles(positive)])
    counts = [*reversed(negative.bucket_counts), point.zero_count, *positive.bucket_counts]
    return values, np.array(counts, np.float64)


def _summary(point: Any) -> Iterator[_Value]:
    yield "_count", point.count, {}
    yield "_sum", point.sum, {}
    for each in point.quantile_values:
        yield "", each.value, {"quantile": _number(each.quantile)}


def _number(value: float) -> str:
    """Return a bound as Prometheus labels write it."""
    return f"{value:.15g}"


_PARTS: dict[str, Callable[[Any], Iterator[_Value]]] = {
    "histogram": _histogram,
    "exponential_histogram": _exponential,
    "summary": _summary,
}
