"""The attributes of records: those they came with, and what the header and its reading add."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parsing._columns import Bytes, Flags, Ints, Rows, appended
from parsing._frames import Given
from parsing._headers import Headers
from parsing._jit import Kernels
from telemetry import ATTRIBUTES, LINES

_ATTRIBUTE_OF = {
    "pid": "process.pid",
    "thread": "thread.name",
    "host": "host.name",
    "client": "client.address",
    "user": "user.name",
    "database": "db.namespace",
}
_YEAR, _DATE = ("faultline.year", "assumed"), ("faultline.date", "assumed")
_INHERITED = ("faultline.time", "inherited")
_STRING = pa.string()
_TIME, _ATTRIBUTES = LINES.get_field_index("time"), LINES.get_field_index("attributes")
_text_kernels = Kernels("parsing._text_kernels")
_PAIR = pa.struct([ATTRIBUTES.key_field, ATTRIBUTES.item_field])
_ENTRY = pa.struct([pa.field("key", pa.string(), nullable=False), pa.field("value", pa.string())])


def attribute_column(rows: Given, headers: Headers, at: Rows, count: int, inherited: Flags | None) -> pa.Array | None:
    """Return the attributes of so many records (map column) whose first lines are `rows`, `at` within `headers`.

    None: they are those the lines came with. `inherited`: the record's time is that of the record before it; None: it
    is of no record.
    """
    names = [name for name in _ATTRIBUTE_OF if name in headers.seen] if headers.seen else []
    if names and not headers.has_some(names):
        names = []
    set_flags = _set_flags(rows, headers, at, count) if headers.assumed else []
    if inherited is not None:
        set_flags.append((_INHERITED, inherited))
    if not names and not set_flags and not headers.extra:
        return None
    keys = _packed((*(_ATTRIBUTE_OF[name] for name in names), *(key for (key, _), _ in set_flags)))
    begins, ends = headers.taken(names, at, len(set_flags))
    data = headers.data
    if set_flags:
        data, value_begins, value_ends = appended(data, [value for (_, value), _ in set_flags])
        for k, (_, flag) in enumerate(set_flags):
            begins[len(names) + k], ends[len(names) + k] = value_begins[k] * flag, value_ends[k] * flag
    added = _Entries.of(keys, data, begins, ends)
    if headers.extra or rows.has(_ATTRIBUTES):
        return added.merged(rows.batch.column(_ATTRIBUTES).slice(0, count), headers.extra, at)
    return added.column()


def _set_flags(rows: Given, headers: Headers, at: Rows, count: int) -> list[tuple[tuple[str, str], Flags]]:
    """Return what is to be said about what is assumed of times, and of which records."""
    unstated = rows.batch.column(_TIME).slice(0, count).is_null().to_numpy(zero_copy_only=False)
    flags = [(_YEAR, headers.year_assumed[at] & unstated), (_DATE, headers.date_assumed[at] & unstated)]
    return [(said, flag) for said, flag in flags if np.count_nonzero(flag)]


@lru_cache(maxsize=256)
def _packed(texts: tuple[str, ...]) -> tuple[Bytes, Ints]:
    """Return texts as bytes one after the other, and where they begin and end."""
    pieces = [text.encode() for text in texts]
    offsets = np.cumsum([0, *(len(piece) for piece in pieces)], dtype=np.int64)
    return np.frombuffer(b"".join(pieces), np.uint8), offsets


@dataclass(frozen=True)
class _Entries:
    """Key-value pairs of records, in order: those of record i are from offsets[i] up to offsets[i + 1]."""

    offsets: NDArray[np.int32]
    keys: pa.Array
    values: pa.Array
    valid: Bytes  # bitmap: the record has an entry
    absent: int  # records that have none

    @classmethod
    def of(cls, keys: tuple[Bytes, Ints], data: Bytes, begins: Ints, ends: Ints) -> "_Entries":
        """Make entries of the values data[begins[k, i]:ends[k, i]] that are not empty, each under key k."""
        records = begins.shape[1]
        offsets, valid = np.zeros(records + 1, np.int32), np.zeros((records + 7) // 8, np.uint8)
        entries, key_bytes, value_bytes, absent = _text_kernels.measure_entries(
            begins, ends, np.diff(keys[1]), offsets, valid
        )
        own = [np.empty(size, np.uint8) for size in (key_bytes, value_bytes)]
        places = [np.zeros(entries + 1, np.int32) for _ in range(2)]
        _text_kernels.copy_entries(data, begins, ends, *keys, own[0], places[0], own[1], places[1])
        texts = [
            pa.Array.from_buffers(_STRING, entries, [None, pa.py_buffer(ends), pa.py_buffer(values)], 0)
            for ends, values in zip(places, own, strict=True)
        ]
        return cls(offsets, texts[0], texts[1], valid, absent)

    def column(self) -> pa.Array:
        """Return the map column; a record without entries is null."""
        pairs = pa.Array.from_buffers(_PAIR, len(self.keys), [None], 0, children=[self.keys, self.values])
        bitmap = pa.py_buffer(self.valid) if self.absent else None
        buffers = [bitmap, pa.py_buffer(self.offsets)]
        return pa.Array.from_buffers(ATTRIBUTES, len(self.offsets) - 1, buffers, self.absent, children=[pairs])

    def merged(self, old: pa.Array, extra: dict[int, dict[str, str]], at: Rows) -> pa.Array:
        """Return the map column `old` with these entries and `extra` (by line) behind; none and null stays null."""
        listed = old.cast(pa.list_(_ENTRY))
        flat = pc.list_flatten(listed)
        lengths = pc.fill_null(pc.list_value_length(listed), 0).to_numpy(zero_copy_only=False)
        lines = range(at.stop) if isinstance(at, slice) else at.tolist()
        place = {row: record for record, row in enumerate(lines) if row in extra}
        further = [
            (place[row], key, value) for row, pairs in extra.items() if row in place for key, value in pairs.items()
        ]
        records = np.arange(len(old))
        owners = np.concatenate(
            [np.repeat(records, lengths), np.repeat(records, np.diff(self.offsets)),
             np.array([owner for owner, _, _ in further], np.int64)]
        )  # fmt: skip
        order = pa.array(np.argsort(owners, kind="stable"))
        more = [pa.array([entry[at] for entry in further], pa.string()) for at in (1, 2)]
        keys = pa.concat_arrays([pc.struct_field(flat, 0), self.keys, more[0]]).take(order)
        values = pa.concat_arrays([pc.struct_field(flat, 1), self.values, more[1]]).take(order)
        counts = np.bincount(owners, minlength=len(old))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]).astype(np.int32)
        absent = pa.array((counts == 0) & old.is_null().to_numpy(zero_copy_only=False))
        return pa.MapArray.from_arrays(pa.array(offsets), keys, values, mask=absent).cast(ATTRIBUTES)
