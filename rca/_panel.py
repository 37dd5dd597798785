"""From long tables of points to one matrix: rows are times, columns are series in name order."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MAX_ROWS = 4_000
"""Newest rows kept: 5.5 hours at 5 s. Bounds time and memory whatever the history handed in."""


_LARGEST = 1e100
"""Values are clipped here, so that no square or sum of them overflows."""


@dataclass(frozen=True)
class Panel:
    """`values[t, s]`, NaN where no point; `times` in microseconds, ascending; columns by service, then metric."""

    services: tuple[str, ...]
    metrics: tuple[str, ...]
    times: Ints
    values: Floats


def times_us(table: pa.Table) -> Ints:
    """Return column `time` as microseconds since the epoch."""
    return np.asarray(table["time"].cast(pa.timestamp("us")).cast(pa.int64()).to_numpy(), np.int64)


def panel(table: pa.Table) -> Panel:
    """Pivot rows (time, service, metric, value), in any order.

    Times are put on a grid of the usual distance between two points of a series; cells with several points get their
    mean. Grid rows without any point are left out, so that a gap in the recording is no gap in the matrix.
    """
    keys = pc.binary_join_element_wise(table["service"], table["metric"], "\0")
    encoded = pc.dictionary_encode(pa.chunked_array(keys).combine_chunks())
    names = np.array(encoded.dictionary.to_pylist(), dtype=object)
    if not len(names):
        return Panel((), (), np.empty(0, np.int64), np.empty((0, 0)))
    order = np.argsort(names)
    column = np.argsort(order)[encoded.indices.to_numpy()]
    times, values = times_us(table), np.clip(table["value"].to_numpy(), -_LARGEST, _LARGEST)
    step = _step(times, column)
    buckets, row = np.unique(times // step, return_inverse=True)
    matrix = _mean_cells(row, column, values, (len(buckets), len(names)))
    first = np.full(len(buckets), np.iinfo(np.int64).max)
    np.minimum.at(first, row, times)
    pairs = [str(name).split("\0", 1) for name in names[order]]
    services, metrics = tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)
    return Panel(services, metrics, first[-MAX_ROWS:], matrix[-MAX_ROWS:])


def _step(times: Ints, column: Ints) -> int:
    order = np.lexsort((times, column))
    gaps = np.diff(times[order])[np.diff(column[order]) == 0]
    gaps = gaps[gaps > 0]
    return max(int(np.median(gaps)), 1) if len(gaps) else 1


def _mean_cells(row: Ints, column: Ints, values: Floats, shape: tuple[int, int]) -> Floats:
    """Mean of the points of each cell, summed in value order so that the row order of the input cannot matter."""
    cell = row * shape[1] + column
    if len(cell) and np.bincount(cell).max() == 1:
        matrix = np.full(shape[0] * shape[1], np.nan)
        matrix[cell] = values
        return matrix.reshape(shape)
    order = np.lexsort((values, cell))
    used, start, count = np.unique(cell[order], return_index=True, return_counts=True)
    matrix = np.full(shape[0] * shape[1], np.nan)
    matrix[used] = np.add.reduceat(values[order], start) / count if len(used) else values
    return matrix.reshape(shape)


def filled(values: Floats) -> Floats:
    """Carry the last value forward, then the first backward; columns without any point become 0."""
    rows = np.arange(len(values))[:, None]
    known = np.isfinite(values)
    last = np.maximum.accumulate(np.where(known, rows, -1), axis=0)
    first = np.argmax(known, axis=0)[None, :]
    out = np.take_along_axis(values, np.where(last >= 0, last, first), axis=0)
    return np.where(np.isfinite(out), out, 0.0)


def column_quantiles(values: Floats, levels: tuple[float, ...]) -> Floats:
    """Column quantiles without NaN, linear interpolation; NaN for empty columns. Faster than `np.nanquantile`."""
    ordered = np.sort(values, axis=0)  # NaN last
    count = np.isfinite(values).sum(axis=0)
    place = np.asarray(levels)[:, None] * np.maximum(count - 1, 0)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    lower, upper = (np.take_along_axis(ordered, index, axis=0) for index in (below, above))
    return np.where(count > 0, lower + (upper - lower) * (place - below), np.nan)


def column_mean(values: Floats) -> Floats:
    """Column means without NaN; NaN for empty columns."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
