"""Binary columns as bytes with edges, and back: for work on all values at once."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest._tables import Ints


def bytes_of(values: pa.Array) -> tuple[npt.NDArray[np.uint8], Ints]:
    """Return the bytes of a binary column without nulls; where each value begins, and where the last ends."""
    _, edges, data = values.buffers()
    edges = np.frombuffer(edges, np.int32)[values.offset : values.offset + len(values) + 1].astype(np.int64)
    whole = np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)
    return whole[edges[0] : edges[-1]], edges - edges[0]


def cut(data: bytes | npt.NDArray[np.uint8], starts: Ints, sizes: Ints) -> pa.Array:
    """Return pieces of `data` as a binary column: they begin at `starts`, in order; a negative size is null.

    Raises ValueError if they overlap or do not lie in `data`.
    """
    if not len(starts):
        return pa.array([], pa.binary())
    edges = np.column_stack((starts, starts + np.maximum(sizes, 0))).ravel()  # the pieces, and what is between them
    if edges[0] < 0 or edges[-1] > len(data) or (np.diff(edges) < 0).any():
        raise ValueError("pieces overlap")
    buffers = [None, pa.py_buffer(edges.astype(np.int32)), pa.py_buffer(data)]
    pieces = pa.Array.from_buffers(pa.binary(), len(edges) - 1, buffers)
    return pieces.take(pa.array(np.arange(0, len(edges), 2), mask=sizes < 0))
