"""Texts as places in one byte buffer, which compiled kernels read, and Arrow string columns made from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from parsing._jit import Kernels

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
NO_BYTES = np.frombuffer(b"", np.uint8)
Rows = Ints | slice
"""Which rows; a slice where they lie together, so that nothing is copied."""
_STRING = pa.string()
_row_kernels, _text_kernels = Kernels("parsing._row_kernels"), Kernels("parsing._text_kernels")


@dataclass(slots=True)  # frozen ones take three times as long to make, and a call of the parser makes a dozen
class Spans:
    """Text i is data[begins[i]:ends[i]], UTF-8; nobody changes it."""

    data: Bytes
    begins: Ints
    ends: Ints

    @classmethod
    def of(cls, column: pa.Array) -> "Spans":
        """Return the texts of a string array, not copied. Nulls are empty."""
        _, offsets, data = column.buffers()
        if len(column) == 0 or data is None:
            return cls(NO_BYTES, *np.zeros((2, len(column)), np.int64))
        begins, ends = np.empty(len(column), np.int64), np.empty(len(column), np.int64)
        low, high = _row_kernels.text_places(np.frombuffer(offsets, np.int32), column.offset, begins, ends)
        return cls(np.frombuffer(data, np.uint8)[low:high], begins, ends)

    def __len__(self) -> int:
        return len(self.begins)

    @property
    def sizes(self) -> Ints:
        """Return the bytes of each text."""
        return self.ends - self.begins

    def text(self, row: int) -> str:
        """Return one text."""
        return self.data[self.begins[row] : self.ends[row]].tobytes().decode()

    def texts(self, rows: Ints) -> list[str]:
        """Return some texts."""
        data, begins, ends = self.data.data, self.begins[rows].tolist(), self.ends[rows].tolist()
        return [str(data[begin:end], "utf-8") for begin, end in zip(begins, ends, strict=True)]

    def take(self, rows: Ints | None) -> "Spans":
        """Return the texts of some rows, or of all (None)."""
        return self if rows is None else Spans(self.data, self.begins[rows], self.ends[rows])

    def column(self, empty_is_null: bool = False) -> pa.Array:
        """Return the texts as a string array."""
        return string_columns(self.data, self.begins[np.newaxis], self.ends[np.newaxis], [empty_is_null])[0]

    def replaced_by(self, others: "Spans", rows: Ints) -> "Spans":
        """Return the texts with those of some rows replaced by `others`, places in the same bytes."""
        begins, ends = self.begins.copy(), self.ends.copy()
        begins[rows], ends[rows] = others.begins, others.ends
        return Spans(others.data, begins, ends)

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
    joined = "".join(texts)
    own = joined.encode()
    sizes = list(map(len, texts)) if joined.isascii() else [len(text.encode()) for text in texts]
    ends = len(data) + np.cumsum(sizes, dtype=np.int64)
    begins = np.concatenate([np.array([len(data)], np.int64), ends[:-1]])
    out = np.concatenate([data, np.frombuffer(own, np.uint8)])
    out.flags.writeable = False  # as Arrow's: compiled code is made for one kind of array only
    return out, begins, ends


def string_columns(data: Bytes, begins: Ints, ends: Ints, empty_is_null: Sequence[bool]) -> list[pa.Array]:
    """Return string arrays: value r of column c is data[begins[c, r]:ends[c, r]], null if empty where that is asked."""
    count, rows = begins.shape
    offsets = np.zeros((count, rows + 1), np.int32)
    valid = np.zeros((count, (rows + 7) // 8), np.uint8)
    places, sizes, empty = laid_out = np.zeros((3, count), np.int64)
    out = np.empty(_text_kernels.measure(begins, ends, offsets, valid, laid_out), np.uint8)
    _text_kernels.copy(data, begins, ends, places, out)
    own = pa.py_buffer(out)
    columns = []
    for at, (place, size, nulls) in enumerate(zip(places.tolist(), sizes.tolist(), empty.tolist(), strict=True)):
        nulls = nulls if empty_is_null[at] else 0
        buffers = [pa.py_buffer(valid[at]) if nulls else None, pa.py_buffer(offsets[at]), own.slice(place, size)]
        columns.append(pa.Array.from_buffers(_STRING, rows, buffers, nulls))
    return columns


def all_same(column: pa.Array) -> bool:
    """Return whether all values are the same, or all are null."""
    return bool(column.slice(1).equals(column.slice(0, max(0, len(column) - 1))))


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


def streams_in(number: Ints, count: int) -> list[tuple[int, Ints | None]]:
    """Return each of `count` numbers that some row has, with its rows; None: they are all."""
    if count == 1:
        return [(0, None)] if len(number) else []
    order = np.argsort(number, kind="stable")
    ends = np.cumsum(np.bincount(number, minlength=count))
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
    return [(int(one), order[starts[one] : ends[one]]) for one in np.flatnonzero(ends > starts)]


def one_chunk(column: Any) -> pa.Array:
    """Return a chunked column as one array."""
    if isinstance(column, pa.ChunkedArray):
        return (
            column.chunk(0)
            if column.num_chunks == 1
            else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
        )
    return column
