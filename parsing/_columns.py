"""Texts as places in one byte buffer, which compiled kernels read, and Arrow string columns made from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Rows = Ints | slice
"""Which rows; a slice where they lie together, so that nothing is copied."""


@dataclass(frozen=True)
class Spans:
    """Text i is data[begins[i]:ends[i]], UTF-8."""

    data: Bytes
    begins: Ints
    ends: Ints

    @classmethod
    def of(cls, column: pa.Array) -> "Spans":
        """Return the texts of a string array, not copied. Nulls are empty."""
        data, offsets = _flat(column)
        return cls(data, offsets[:-1], offsets[1:])

    def __len__(self) -> int:
        return len(self.begins)

    @property
    def sizes(self) -> Ints:
        """Return the bytes of each text."""
        return self.ends - self.begins

    def text(self, row: int) -> str:
        """Return one text."""
        return self.data[self.begins[row] : self.ends[row]].tobytes().decode()

    def take(self, rows: Rows) -> "Spans":
        """Return the texts of some rows."""
        return Spans(self.data, self.begins[rows], self.ends[rows])

    def column(self, empty_is_null: bool = False) -> pa.Array:
        """Return the texts as a string array."""
        from parsing._kernels import gather

        sizes = self.sizes
        offsets = np.zeros(len(sizes) + 1, np.int64)
        np.cumsum(sizes, out=offsets[1:])
        out = np.empty(int(offsets[-1]), np.uint8)
        gather(self.data, self.begins, self.ends, out, offsets)
        return _strings(out, offsets, _bitmap(sizes > 0) if empty_is_null else None)

    def replaced(self, rows: Ints, texts: Sequence[str]) -> "Spans":
        """Return the texts with those of some rows replaced."""
        if len(rows) == 0:
            return self
        data, begins, ends = appended(self.data, texts)
        own_begins, own_ends = self.begins.copy(), self.ends.copy()
        own_begins[rows], own_ends[rows] = begins, ends
        return Spans(data, own_begins, own_ends)


def appended(data: Bytes, texts: Sequence[str]) -> tuple[Bytes, Ints, Ints]:
    """Return `data` with texts behind it, and where each of them begins and ends."""
    pieces = [text.encode() for text in texts]
    ends = len(data) + np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
    begins = np.concatenate([np.array([len(data)], np.int64), ends[:-1]])
    return np.concatenate([data, np.frombuffer(b"".join(pieces), np.uint8)]), begins, ends


def _flat(column: pa.Array) -> tuple[Bytes, Ints]:
    """Return (bytes, offsets) of a string array: value i is bytes[offsets[i]:offsets[i + 1]]."""
    if len(column) == 0:
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    _, offsets, data = column.buffers()
    width = np.int64 if pa.types.is_large_string(column.type) else np.int32
    own = np.frombuffer(offsets, width)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    if data is None:
        return np.zeros(0, np.uint8), own
    return np.frombuffer(data, np.uint8)[own[0] : own[-1]], own - own[0]


def _strings(data: Bytes, offsets: Ints, valid: Any = None) -> pa.Array:
    """Return the string array whose value i is data[offsets[i]:offsets[i + 1]]."""
    rows = len(offsets) - 1
    if int(offsets[-1]) > np.iinfo(np.int32).max:
        large = pa.Array.from_buffers(pa.large_string(), rows, [valid, pa.py_buffer(offsets), pa.py_buffer(data)])
        return large.cast(pa.string())
    buffers = [valid, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.string(), rows, buffers)


def _bitmap(flags: Flags) -> Any:
    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def distinct(numbers: Ints) -> tuple[Ints, Ints]:
    """Return the distinct numbers (small, not negative) in ascending order, and for each its place among them."""
    if len(numbers) == 0:
        return numbers, numbers
    most = int(numbers.max()) + 1
    if most > 8 * len(numbers) + 1024:
        return np.unique(numbers, return_inverse=True)
    there = np.zeros(most, np.bool_)
    there[numbers] = True
    used = np.flatnonzero(there)
    place = np.empty(most, np.int64)
    place[used] = np.arange(len(used))
    return used, place[numbers]


def streams_in(number: Ints, count: int) -> list[tuple[int, Ints]]:
    """Return each of `count` numbers that some row has, with its rows."""
    if count == 1:
        return [(0, np.arange(len(number)))] if len(number) else []
    found = ((one, np.flatnonzero(number == one)) for one in range(count))
    return [(one, rows) for one, rows in found if len(rows)]


def one_chunk(column: Any) -> pa.Array:
    """Return a chunked column as one array."""
    if isinstance(column, pa.ChunkedArray):
        return (
            column.chunk(0)
            if column.num_chunks == 1
            else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
        )
    return column
