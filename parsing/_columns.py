"""Arrow string columns as the flat byte arrays that compiled kernels read, and back."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]


def flat(column: pa.Array) -> tuple[Bytes, Ints]:
    """Return (bytes, offsets) of a string array: value i is bytes[offsets[i]:offsets[i + 1]]. Nulls are empty."""
    if len(column) == 0:
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    _, offsets, data = column.buffers()
    width = np.int64 if pa.types.is_large_string(column.type) else np.int32
    every = np.frombuffer(offsets, width)
    held = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return held, every[column.offset : column.offset + len(column) + 1].astype(np.int64)


def strings(data: Bytes, offsets: Ints) -> pa.Array:
    """Return the string array whose value i is data[offsets[i]:offsets[i + 1]]; the bytes must be UTF-8."""
    if int(offsets[-1]) > np.iinfo(np.int32).max:
        large = pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))
        return large.cast(pa.string())
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data))


def one_chunk(column: Any) -> pa.Array:
    """Return a chunked column as one array."""
    if isinstance(column, pa.ChunkedArray):
        return (
            column.chunk(0)
            if column.num_chunks == 1
            else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
        )
    return column
