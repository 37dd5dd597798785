"""From stored rows to the windows detectors see: cut, count and summarise a range of event time in one go."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

import telemetry
from faultline.counters import rates
from faultline.worker import MAX_SPAN_US
from telemetry import Window

if TYPE_CHECKING:
    from storage import Reader

Ints = npt.NDArray[np.int64]
Calls = dict[tuple[str, str], float]
Canonical = Mapping[int, tuple[int, int]]
"""Template id -> the id it is counted under, and from which window on (its start, us since the epoch): a template that
generalised goes on with the count of the one it came from."""


@dataclass(frozen=True)
class Rows:
    """Non-late rows of a range of event time, as the store holds them.

    `logs`: how many of each window (WINDOW_LOGS), under the template ids they are stored with. `metrics`: time,
    service, metric, value. `spans`: all span columns but attributes and origin, chosen by their end, and those of the
    minutes before for their parents' sake.
    `counters`: cumulative points, which are not among `metrics`, and those of the minutes before (see `counters`).
    """

    logs: pa.Table
    metrics: pa.Table
    spans: pa.Table
    counters: pa.Table


def cut(rows: Rows, start: int, end: int, width: int, canonical: Canonical) -> Iterator[tuple[Window, Calls]]:
    """Yield each window of [start, end) with the calls seen in it, `width` apart; times are us since the epoch.

    `canonical` maps a template id to the id it is counted under, and to the time (us) from which on.
    """
    metrics = _metric_windows(pa.concat_tables([rows.metrics, rates(rows.counters, start)]))
    logs = _log_windows(rows.logs, canonical)
    spans, calls = _span_windows(rows.spans, start, end, width)
    edges = np.arange(start, end + 1, width, dtype=np.int64)
    metric_at, log_at, span_at, call_at = (
        np.searchsorted(_us(t["time"]), edges) for t in (metrics, logs, spans, calls)
    )
    for i, left in enumerate(edges[:-1].tolist()):
        window = Window(
            left,
            left + width,
            _slice(metrics, metric_at, i),
            _slice(logs, log_at, i),
            _slice(spans, span_at, i),
        )
        yield window, _calls(_slice(calls, call_at, i))


def _slice(table: pa.Table, edges: Ints, i: int) -> pa.Table:
    return table.slice(int(edges[i]), int(edges[i + 1] - edges[i]))


def _calls(table: pa.Table) -> Calls:
    names = zip(table["caller"].to_pylist(), table["service"].to_pylist(), strict=True)
    return dict(zip(names, table["count"].to_pylist(), strict=True))


def _us(column: pa.ChunkedArray) -> Ints:
    return np.asarray(column.cast(pa.int64()).to_numpy())


def _metric_windows(metrics: pa.Table) -> pa.Table:
    ordered = metrics.sort_by(
        [("time", "ascending"), ("service", "ascending"), ("metric", "ascending"), ("value", "ascending")]
    )
    return ordered.select(telemetry.WINDOW_METRICS.names).cast(telemetry.WINDOW_METRICS)


_LOG_KEYS = ["time", "service", "template_id", "severity_number"]


def read_counts(reader: "Reader", start: int, end: int, width: int) -> pa.Table:
    """Return WINDOW_LOGS counts of the rows of [start, end) in a store that are not late, added up where they are read.

    Raises QueryError.
    """
    window = f"make_timestamptz(epoch_us(time) - (epoch_us(time) - {start}) % {width})"
    keys = {"time": window, **{name: name for name in _LOG_KEYS[1:]}}
    found = reader.aggregate("logs", {**keys, "count": "count(*)"}, start, end, where="NOT late")
    schema = telemetry.WINDOW_LOGS
    return schema.empty_table() if found is None else found.select(schema.names).cast(schema)


def count_logs(logs: pa.Table, start: int, width: int) -> pa.Table:
    """Return WINDOW_LOGS counts of log rows; windows are `width` us long and begin at `start`."""
    begins = pa.array(_window_of(_us(logs["time"]), start, width)).cast(telemetry.TIME)
    keyed = pa.table([begins, *(logs[name] for name in _LOG_KEYS[1:])], names=_LOG_KEYS)
    sums = keyed.group_by(_LOG_KEYS).aggregate([([], "count_all")]).rename_columns([*_LOG_KEYS, "count"])
    return sums.select(telemetry.WINDOW_LOGS.names).cast(telemetry.WINDOW_LOGS)


def _log_windows(counts: pa.Table, canonical: Canonical) -> pa.Table:
    """Add counts up by window, service, canonical template and severity."""
    ids = _canonical_ids(counts["template_id"], _us(counts["time"]), canonical)
    place = counts.schema.get_field_index("template_id")
    keyed = counts.set_column(place, counts.schema.field(place), pa.array(ids))
    sums = keyed.group_by(_LOG_KEYS).aggregate([("count", "sum")]).rename_columns([*_LOG_KEYS, "count"])
    ordered = sums.sort_by([(key, "ascending") for key in _LOG_KEYS])
    return ordered.select(telemetry.WINDOW_LOGS.names).cast(telemetry.WINDOW_LOGS)


def _canonical_ids(ids: pa.ChunkedArray, times: Ints, canonical: Canonical) -> Ints:
    encoded = ids.combine_chunks().dictionary_encode()
    distinct = encoded.dictionary.to_pylist()
    known = np.array([canonical.get(one, (one, 0)) for one in distinct], np.int64).reshape(-1, 2)
    at = encoded.indices.to_numpy()
    own = np.array(distinct, np.int64)[at]
    return np.asarray(np.where(times >= known[at, 1], known[at, 0], own))


def _window_of(times: Ints, start: int, width: int) -> Ints:
    return np.asarray(start + (times - start) // width * width)


_SPAN_SUMS = """
    SELECT time, service, operation, caller, count(*) AS count, sum(error::INT) AS errors,
           quantile_cont(duration, .5) AS duration_p50_us, quantile_cont(duration, .95) AS duration_p95_us,
           quantile_cont(own, .5) AS self_p50_us, quantile_cont(own, .95) AS self_p95_us,
           sum((error AND NOT child_error)::INT) AS error_origins
    FROM spans GROUP BY ALL ORDER BY time, service, operation, caller
"""


def _span_windows(spans: pa.Table, start: int, end: int, width: int) -> tuple[pa.Table, pa.Table]:
    """Return WINDOW_SPANS rows, and (time, caller, service, count) of calls between services."""
    import duckdb

    if not len(spans):
        calls = pa.schema([*(telemetry.WINDOW_SPANS.field(n) for n in ("time", "caller", "service", "count"))])
        return telemetry.WINDOW_SPANS.empty_table(), calls.empty_table()
    ends = _us(spans["time"]) + np.clip(spans["duration_us"].to_numpy(), 0, MAX_SPAN_US)
    family = _family(spans, _window_of(ends, start, width))
    inside = pa.array((ends >= start) & (ends < end))
    flat = pa.table(
        {
            "time": pa.array(_window_of(ends, start, width)),
            "service": spans["service"],
            "operation": spans["operation"],
            "caller": family.caller,
            "duration": pc.cast(spans["duration_us"], pa.float64()),
            "own": pa.array(family.own),
            "error": pc.equal(spans["status"], "error"),
            "child_error": pa.array(family.child_error),
        }
    ).filter(inside)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("spans", flat)
        sums = connection.sql(_SPAN_SUMS).to_arrow_table().cast(telemetry.WINDOW_SPANS)
    between = sums.filter(pc.and_(pc.is_valid(sums["caller"]), pc.not_equal(sums["caller"], sums["service"])))
    calls = between.group_by(["time", "caller", "service"]).aggregate([("count", "sum")])
    calls = calls.rename_columns(["time", "caller", "service", "count"])
    return sums, calls.sort_by([("time", "ascending"), ("caller", "ascending"), ("service", "ascending")])


@dataclass(frozen=True)
class _Family:
    """What a span's parent and children say about it: one value a span."""

    caller: pa.Array
    own: npt.NDArray[np.float64]
    child_error: npt.NDArray[np.bool_]


def _family(spans: pa.Table, window: Ints) -> _Family:
    """Find each span's parent within the same table; own time is its duration less what its children cover.

    A span knows of relatives only what has ended by the end of its own window: the result for a window is then the
    same whether later windows are in the table or not.
    """
    ids, parents = _codes(spans)
    order = np.argsort(ids, kind="stable")
    at = np.clip(np.searchsorted(ids[order], parents), 0, len(ids) - 1)
    parent = np.where((parents >= 0) & (ids[order][at] == parents), order[at], -1)
    sees_parent = (parent >= 0) & (window[parent] <= window)
    caller = spans["service"].combine_chunks().take(pa.array(np.where(sees_parent, parent, 0), mask=~sees_parent))
    seen = (parent >= 0) & (window <= window[parent])
    begin = _us(spans["time"])
    finish = begin + np.maximum(spans["duration_us"].to_numpy(), 0)
    covered = _covered(parent[seen], begin[seen], finish[seen], begin, finish)
    child_error = np.zeros(len(spans), dtype=bool)
    np.logical_or.at(child_error, parent[seen], pc.equal(spans["status"], "error").to_numpy()[seen])
    return _Family(caller, np.maximum(finish - begin - covered, 0).astype(float), child_error)


def _codes(spans: pa.Table) -> tuple[Ints, Ints]:
    """Number (trace, span) pairs; parents that are null or not there get -1."""
    child = pc.binary_join_element_wise(spans["trace_id"], spans["span_id"], "/").combine_chunks()
    parent = pc.binary_join_element_wise(spans["trace_id"], spans["parent_span_id"], "/").combine_chunks()
    encoded = child.dictionary_encode()
    found = pc.fill_null(pc.index_in(parent, encoded.dictionary), -1)
    return encoded.indices.to_numpy().astype(np.int64), found.to_numpy().astype(np.int64)


def _covered(parent: Ints, begin: Ints, finish: Ints, all_begin: Ints, all_finish: Ints) -> Ints:
    """Return per span the time covered by the union of its children, each clipped to the span itself."""
    covered = np.zeros(len(all_begin), dtype=np.int64)
    if not len(parent):
        return covered
    begin = np.maximum(begin, all_begin[parent])
    finish = np.minimum(finish, all_finish[parent])
    order = np.lexsort((begin, parent))
    parent, begin, finish = parent[order], begin[order], finish[order]
    # Shifting each parent's children beyond all times of the parent before makes one running maximum serve all.
    span = int(finish.max() - begin.min()) + 1
    shift = np.cumsum(np.concatenate(([0], (np.diff(parent) != 0).astype(np.int64)))) * span
    reach = np.maximum.accumulate(finish + shift)
    before = np.concatenate(([begin[0] + shift[0]], reach[:-1]))
    fresh = np.maximum(finish + shift - np.maximum(begin + shift, before), 0)
    np.add.at(covered, parent, fresh)
    return covered
