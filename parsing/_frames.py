"""Record batches read and made in one call each: at a hundred rows, an object a column costs more than what is in it.

A batch is read where it lies, through Arrow's C data interface. One is made as Arrow's IPC format has it: one piece
of memory that begins with a description of the columns and goes on with all their buffers, which pyarrow takes over as
they lie. The description is the same for all batches of a schema but for numbers of eight bytes (lengths, nulls, places
of buffers): it is taken from a message that pyarrow made, and where these numbers are is looked up in it, once.
"""

from ctypes import string_at
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import pyarrow as pa

from parsing._columns import NO_BYTES, Bytes, Flags, Ints, Spans
from parsing._jit import Kernels
from telemetry import LINES

_arrays, _kernels = Kernels("parsing._array_kernels"), Kernels("parsing._frame_kernels")
LINE, ARROW, GIVEN, FILLED, ZEROS = range(5)
"""What a column is made of, as `_frame_kernels` says."""

_LOOKED_AT = np.array(
    [LINES.get_field_index(name) for name in ("body", "service", "offset", "observed_time", "time", "structured")]
)
_NONE = np.zeros(0, np.int64)
_read = pa.ipc.read_record_batch
_PREFIX = 8  # bytes before the description: a mark, and how long it is
_ALIGNED = 64  # what the places of buffers are multiples of
_HEADER, _BODY_LENGTH = 2, 3  # fields of a Message
_LENGTH, _NODES, _BUFFERS = 0, 1, 2  # fields of a RecordBatch
_ARROW_ARRAY, _DESCRIBED = 80, 56  # bytes of an array in the C data interface, and of its description
_WIDTH = len(LINES)
_MOST_BYTES = 1 << 31
_MOST = 1 + _WIDTH + 3  # arrays in a batch of LINES, its map having three children; no column has as many


def described(array: pa.Array | pa.RecordBatch) -> tuple[pa.Buffer, int]:
    """Return memory and where in it an array is described, as `_array_kernels` says; the array must live on, too.

    Exported without its type, which is known and costs as much again.
    """
    memory = pa.allocate_buffer(_ARROW_ARRAY + _MOST * _DESCRIBED)
    address: int = memory.address
    array._export_to_c(address)
    _arrays.describe(address, address + _ARROW_ARRAY)
    return memory, address + _ARROW_ARRAY


@dataclass(slots=True)
class Given:
    """A batch of LINES as it lies; arrays have one entry a row."""

    parts: list[pa.RecordBatch]  # it alone, or the rest of one and the next
    kept: list[pa.Buffer]  # what describes it, and the data that joins its parts
    columns: int  # where its columns are described
    lines: Spans
    places: Ints  # shape [5, row]: see `_frame_kernels.look`
    structured: Flags
    mixed: bool  # some are structured
    one_service: bool  # all name the same, or none does
    service: str | None  # the one that all name
    escaped: bool  # some line has an escape character
    _filled: int  # bits: columns that have a value
    _holed: int  # bits: columns that have a null

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> "Given":
        """Look at a batch, which has rows."""
        kept, address = described(batch)
        return cls._at(address, batch.num_rows, [batch], [kept])

    @classmethod
    def joined(cls, rest: "Rest", batch: pa.RecordBatch) -> "Given":
        """Look at the rest of one batch and the next one as at one batch, which Arrow makes only if it is asked for."""
        (_description, address), memory = described(batch), pa.allocate_buffer(_MOST * _DESCRIBED)
        target: int = memory.address
        parts, rows = (rest.address, address), (rest.batch.num_rows, batch.num_rows)
        room = _arrays.join(parts, rest.first, rows, _kinds(), target, 0)
        if room >= _MOST_BYTES:  # more than places of texts can say: Arrow tells that this cannot be
            return cls.of(pa.concat_batches([rest.batch, batch]))
        data = pa.allocate_buffer(room)
        _arrays.join(parts, rest.first, rows, _kinds(), target, data.address)
        return cls._at(target, sum(rows), [rest.batch, batch], [memory, data])

    @classmethod
    def _at(cls, address: int, rows: int, parts: list[pa.RecordBatch], kept: list[pa.Buffer]) -> "Given":
        """Look at a batch described at an address."""
        places, structured = np.empty((5, rows), np.int64), np.empty(rows, np.bool_)
        at, size, escaped, mixed, alike, name, length, filled, holed = _kernels.look(
            address, _WIDTH, _LOOKED_AT, rows, places, structured
        )
        data = np.frombuffer(pa.foreign_buffer(at, size, (parts, kept)), np.uint8) if size else NO_BYTES
        lines, service = Spans(data, places[0], places[1]), string_at(name, length).decode() if length >= 0 else None
        columns = address + _DESCRIBED
        return cls(parts, kept, columns, lines, places, structured, mixed, alike, service, escaped, filled, holed)

    @property
    def batch(self) -> pa.RecordBatch:
        """The rows in Arrow's terms."""
        if len(self.parts) > 1:
            self.parts[:] = [pa.concat_batches(self.parts)]
        return self.parts[0]

    def after(self, row: int) -> "Rest":
        """Return the rows from one on."""
        before = len(self) - self.parts[-1].num_rows
        batch = self.parts[-1].slice(row - before) if row >= before else self.batch.slice(row)
        return Rest(batch, self.columns - _DESCRIBED, row, self.kept)

    def __len__(self) -> int:
        return len(self.structured)

    @property
    def offsets(self) -> Ints:
        """Return where in the partition each row is."""
        offsets: Ints = self.places[2]
        return offsets

    @property
    def observed(self) -> Ints:
        """Return when each row was observed (us)."""
        observed: Ints = self.places[3]
        return observed

    def has(self, column: int) -> bool:
        """Return whether some row has a value there."""
        return bool(self._filled >> column & 1)

    def lacks(self, column: int) -> bool:
        """Return whether some row has none there."""
        return bool(self._holed >> column & 1)


@dataclass(slots=True)
class Rest:
    """The last rows of a batch, and where all of it is described: more may follow them."""

    batch: pa.RecordBatch
    address: int
    first: int
    kept: list[pa.Buffer]


class Frame:
    """Makes batches of one schema: numbers, texts, and at most one list of texts and one map of texts."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema

    @cached_property
    def _made(self) -> tuple[Ints, Ints, Ints]:
        """Return what comes before the columns, where its numbers are (`marks` of `_frame_kernels`), and types.

        Zeros behind the description are part of it: so the columns begin at a multiple of what buffers begin at.
        """
        nothing = [pa.nulls(1, field.type) for field in self._schema]
        message = pa.RecordBatch.from_arrays(nothing, schema=self._schema).serialize().to_pybytes()
        size = _number(message, 4, 4)
        table = _Table(message, _PREFIX)
        batch = table.child(_HEADER)
        nodes, node_count = batch.vector(_NODES)
        buffers, buffer_count = batch.vector(_BUFFERS)
        own = batch.place(_LENGTH), table.place(_BODY_LENGTH)
        marks = np.array([*own, nodes, 8 * node_count, buffers, 8 * buffer_count]) // 8
        padded = size + -(_PREFIX + size) % _ALIGNED
        head = message[:4] + padded.to_bytes(4, "little") + message[_PREFIX : _PREFIX + size].ljust(padded, b"\0")
        types = np.array([_kind(field.type) for field in self._schema])
        return np.frombuffer(head, np.int64), marks, types

    def batch(
        self,
        rows: int,
        sources: Ints,
        columns: int,
        numbers: Ints,
        data: Bytes,
        other: Bytes,
        begins: Ints,
        ends: Ints,
        lists: tuple[Ints, Ints, Ints] = (_NONE, _NONE, _NONE),
    ) -> pa.RecordBatch:
        """Return a batch of columns made of `sources`: see `_frame_kernels`, also for the other arguments."""
        blank, marks, types = self._made
        whole = _kernels.message(blank, marks, types, sources, columns, rows, numbers, data, other, begins, ends, lists)
        return _read(pa.py_buffer(whole), self._schema)


@cache
def _kinds() -> Ints:
    """Return what the arrays of a batch of LINES are, and how many children each has, in the order of descriptions."""
    found: list[pa.DataType] = []
    waiting = [pa.struct(list(LINES))]
    while waiting:
        found += waiting
        waiting = [kind.field(child).type for kind in waiting for child in range(kind.num_fields)]
    return np.array([(_kind(kind), kind.num_fields) for kind in found])


def _kind(kind: pa.DataType) -> int:
    """Return what `_array_kernels` calls a type."""
    if pa.types.is_struct(kind):
        return -4
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
