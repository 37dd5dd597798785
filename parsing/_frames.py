"""Arrow tables read and made in one call each: at a hundred rows, an object a column costs more than what is in it.

A batch is read where it lies, through Arrow's C data interface. A table is made as Arrow's IPC format has it: one piece
of memory that begins with a description of the columns and goes on with all their buffers, which pyarrow takes over as
they lie. The description is the same for all batches of a schema but for numbers of eight bytes (lengths, nulls, places
of buffers): it is taken from a message that pyarrow made, and where these numbers are is looked up in it, once.
"""

import ctypes
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from parsing._columns import NO_BYTES, Bytes, Flags, Ints, Spans
from parsing._jit import Kernels
from telemetry import LINES

_kernels = Kernels("parsing._frame_kernels")
_address = ctypes.pythonapi.PyCapsule_GetPointer
_address.restype, _address.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
ARROW, GIVEN, FILLED, ZEROS = range(4)
"""What a column is made of, as `_frame_kernels` says."""

_LOOKED_AT = np.array(
    [LINES.get_field_index(name) for name in ("body", "service", "offset", "observed_time", "structured")]
)
_BODY = LINES.get_field_index("body")
_NONE = np.zeros(0, np.int64)
_PREFIX = 8  # bytes before the description: a mark, and how long it is
_ALIGNED = 64  # what the places of buffers are multiples of
_HEADER, _BODY_LENGTH = 2, 3  # fields of a Message
_LENGTH, _NODES, _BUFFERS = 0, 1, 2  # fields of a RecordBatch


def exported(array: pa.Array | pa.RecordBatch) -> tuple[object, int]:
    """Return the address of an array as the C data interface has it, and what keeps it there."""
    kept = array.__arrow_c_array__()[1]
    return kept, _address(kept, b"arrow_array")


@dataclass(slots=True)
class Given:
    """A batch of LINES as it lies; arrays have one entry a row."""

    batch: pa.RecordBatch
    kept: object
    addresses: Ints  # by column
    nulls: list[int]  # by column
    lines: Spans
    offsets: Ints
    observed: Ints  # us
    structured: Flags
    mixed: bool  # some are structured
    one_service: bool  # all name the same, or none does
    escaped: bool  # some line has an escape character

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> "Given":
        """Look at a batch, which has rows."""
        rows, (kept, address) = batch.num_rows, exported(batch)
        found, places = np.empty((2, len(LINES)), np.int64), np.empty((4, rows), np.int64)
        structured = np.empty(rows, np.bool_)
        at, size, escaped, mixed, alike = _kernels.look(address, _LOOKED_AT, rows, found, places, structured)
        data = np.frombuffer(pa.foreign_buffer(at, size, kept), np.uint8) if size else NO_BYTES
        begins, ends, offsets, observed = places
        addresses, nulls = found
        lines = Spans(data, begins, ends)
        return cls(batch, kept, addresses, nulls.tolist(), lines, offsets, observed, structured, mixed, alike, escaped)

    def __len__(self) -> int:
        return len(self.offsets)

    def has(self, column: int) -> bool:
        """Return whether some row has a value there."""
        return self.nulls[column] < len(self.offsets)


class Frame:
    """Makes tables of one schema: numbers, texts, and at most one list of texts and one map of texts."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema

    @cached_property
    def _made(self) -> tuple[Bytes, Ints, int, int, Ints]:
        """Return what comes before the columns, where its numbers are, how many nodes and buffers there are, and types.

        Zeros behind the description are part of it: so the columns begin at a multiple of what buffers begin at.
        """
        nothing = [pa.nulls(1, field.type) for field in self._schema]
        message = pa.RecordBatch.from_arrays(nothing, schema=self._schema).serialize().to_pybytes()
        size = _number(message, 4, 4)
        table = _Table(message, _PREFIX)
        batch = table.child(_HEADER)
        nodes, node_count = batch.vector(_NODES)
        buffers, buffer_count = batch.vector(_BUFFERS)
        marks = np.array([batch.place(_LENGTH), table.place(_BODY_LENGTH), nodes, buffers]) // 8
        padded = size + -(_PREFIX + size) % _ALIGNED
        head = message[:4] + padded.to_bytes(4, "little") + message[_PREFIX : _PREFIX + size].ljust(padded, b"\0")
        types = np.array([_kind(field.type) for field in self._schema])
        return np.frombuffer(head, np.uint8), marks, node_count, buffer_count, types

    def table(
        self,
        rows: int,
        sources: Ints,
        addresses: Ints,
        numbers: Ints,
        data: Bytes,
        other: Bytes,
        begins: Ints,
        ends: Ints,
        lists: tuple[Ints, Ints, Ints] = (_NONE, _NONE, _NONE),
    ) -> pa.Table:
        """Return a table of columns made of `sources`: see `_frame_kernels`, also for the other arguments."""
        head, marks, node_count, buffer_count, types = self._made
        parts = np.empty((node_count, 2), np.int64), np.empty((buffer_count, 2), np.int64)
        room = _kernels.measure(types, sources, addresses, rows, numbers, begins, ends, lists, parts)
        whole = pa.allocate_buffer(len(head) + room)
        target, texts = np.frombuffer(whole, np.uint8), (data, other, begins, ends, lists)
        _kernels.write(head, marks, types, sources, addresses, rows, numbers, *texts, parts, target)
        return pa.Table.from_batches([pa.ipc.read_record_batch(whole, self._schema)])


def _kind(kind: pa.DataType) -> int:
    """Return what `_frame_kernels` calls a type."""
    if pa.types.is_map(kind):
        return -3
    if pa.types.is_list(kind):
        return -2
    return -1 if pa.types.is_string(kind) else kind.bit_width // 8


class _Table:
    """A table of a flatbuffer: its fields are found by offsets, which say how far on something is."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at + _number(data, at, 4)

    def place(self, field: int) -> int:
        """Return where a field is, which must be there."""
        fields = self._at - _number(self._data, self._at, 4)
        return self._at + _number(self._data, fields + 4 + 2 * field, 2)

    def child(self, field: int) -> "_Table":
        """Return the table that a field leads to."""
        return _Table(self._data, self.place(field))

    def vector(self, field: int) -> tuple[int, int]:
        """Return where the first entry of a vector is that a field leads to, and how many there are."""
        at = self.place(field)
        at += _number(self._data, at, 4)
        return at + 4, _number(self._data, at, 4)


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little", signed=size == 4)
