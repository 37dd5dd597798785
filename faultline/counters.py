"""Counters as rates: what counts up since a start says something only by how fast it does."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

import telemetry

COLUMNS = ("time", "service", "metric", "value", "attributes")
GAP_US = 300_000_000
"""A counter that was silent for longer is begun anew; Prometheus looks back as far."""

Ints = npt.NDArray[np.int64]


def rates(points: pa.Table, start: int) -> pa.Table:
    """Return WINDOW_METRICS rows: what cumulative points count a second since the point before, from `start` on (us).

    `points`: `COLUMNS` of cumulative series from `GAP_US` before `start`, in any order. A value that fell has begun
    again at 0. The series of one service and metric that have a point at the same time are added up: they are one
    process' counts by route, say. Buckets of a histogram are left out: its count and sum say how many and how long.
    """
    points = points.filter(pc.invert(pc.ends_with(points["metric"], "_bucket")))
    if not len(points):
        return telemetry.WINDOW_METRICS.empty_table()
    series, times = _series(points), points["time"].cast(pa.int64()).to_numpy()
    order = np.lexsort((points["value"].to_numpy(), times, series))
    last = np.r_[(np.diff(series[order]) != 0) | (np.diff(times[order]) != 0), True]
    order = order[last]  # of points at one time the highest counts
    series, times, values = series[order], times[order], points["value"].to_numpy()[order]
    steps, growth = np.diff(times), np.diff(values)
    counts = (np.diff(series) == 0) & (steps <= GAP_US) & (times[1:] >= start)
    grown = np.where(growth < 0, values[1:], growth)[counts]
    of = pa.array(order[1:][counts])
    found = pa.table(
        {
            **{name: points[name].take(of) for name in ("time", "service", "metric")},
            "value": grown / (steps[counts] / 1e6),
        }
    )
    keys = ["time", "service", "metric"]
    sums = found.group_by(keys, use_threads=False).aggregate([("value", "sum")]).rename_columns([*keys, "value"])
    return sums.cast(telemetry.WINDOW_METRICS)


def _series(points: pa.Table) -> Ints:
    """Number the series, in an order that does not depend on that of the points."""
    entries = points["attributes"].combine_chunks().cast(pa.list_(_ENTRY))
    sizes = pc.fill_null(pc.list_value_length(entries), 0).to_numpy()
    flat = pc.list_flatten(entries)
    pairs = pc.binary_join_element_wise(pc.struct_field(flat, 0), pc.fill_null(pc.struct_field(flat, 1), ""), "\x1f")
    offsets = pa.array(np.concatenate(([0], np.cumsum(sizes))), pa.int32())
    labels = pc.binary_join(pa.ListArray.from_arrays(offsets, pairs), "\x1e")
    named = (points[name].combine_chunks() for name in ("service", "metric"))
    coded = pc.binary_join_element_wise(*named, labels, "\x1d").dictionary_encode()
    rank = np.argsort(np.argsort(np.array(coded.dictionary.to_pylist(), object)))
    return np.asarray(rank[coded.indices.to_numpy()], np.int64)


_ENTRY = pa.struct([pa.field("key", pa.string(), nullable=False), pa.field("value", pa.string())])
