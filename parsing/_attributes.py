"""The attributes of records: those they came with, and what the header and its reading add."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parsing._columns import Bytes, Flags, Ints, Rows, Spans, appended, one_chunk
from parsing._headers import Headers
from telemetry import ATTRIBUTES

_ATTRIBUTE_OF = {
    "pid": "process.pid",
    "thread": "thread.name",
    "host": "host.name",
    "client": "client.address",
    "user": "user.name",
    "database": "db.namespace",
}
_FLAGS = (("faultline.year", "assumed"), ("faultline.date", "assumed"), ("faultline.time", "inherited"))
_ENTRY = pa.struct([pa.field("key", pa.string(), nullable=False), pa.field("value", pa.string())])


def attribute_column(rows: pa.Table, headers: Headers, at: Rows, inherited: Flags) -> pa.Array:
    """Return the attributes of records (map column) whose first lines are `rows`, `at` within `headers`.

    `inherited`: the record's time is that of the record before it.
    """
    from_header = True
    if rows["time"].null_count < len(rows):
        from_header = one_chunk(rows["time"]).is_null().to_numpy(zero_copy_only=False)
    flags = (headers.year_assumed[at] & from_header, headers.date_assumed[at] & from_header, inherited)
    old = one_chunk(rows["attributes"])
    names = [name for name in _ATTRIBUTE_OF if headers.has(name)]
    set_flags = [(said, flag) for said, flag in zip(_FLAGS, flags, strict=True) if flag.any()]
    if not names and not set_flags and not headers.extra:
        return old
    constants = [_ATTRIBUTE_OF[name] for name in names] + [key for (key, _), _ in set_flags]
    keys = Spans(*appended(np.zeros(0, np.uint8), constants))
    values = [headers.spans(name, at) for name in names]
    data = headers.data
    if set_flags:
        data, begins, ends = appended(data, [value for (_, value), _ in set_flags])
        values += [Spans(data, b * flag, e * flag) for b, e, (_, flag) in zip(begins, ends, set_flags, strict=True)]
    added = _Entries.of(keys, data, values, rows.num_rows)
    if headers.extra or old.null_count < len(old):
        return added.merged(old, headers.extra, np.arange(len(headers.matched))[at])
    return added.column()


class _Entries:
    """Key-value pairs of records, in order: those of record i are from offsets[i] up to offsets[i + 1]."""

    def __init__(self, offsets: Ints, keys: pa.Array, values: pa.Array) -> None:
        self._offsets, self._keys, self._values = offsets, keys, values

    @classmethod
    def of(cls, keys: Spans, data: Bytes, values: list[Spans], records: int) -> "_Entries":
        """Make entries of the values that are not empty, places in `data`; values[k] has the key keys[k]."""
        from parsing._kernels import count_entries, list_entries

        begins = np.array([one.begins for one in values]).reshape(len(values), records)
        ends = np.array([one.ends for one in values]).reshape(len(values), records)
        offsets = np.zeros(records + 1, np.int64)
        count_entries(begins, ends, offsets)
        kinds, entry_begins, entry_ends = np.empty((3, int(offsets[-1])), np.int64)
        list_entries(begins, ends, kinds, entry_begins, entry_ends)
        return cls(offsets, keys.take(kinds).column(), Spans(data, entry_begins, entry_ends).column())

    def column(self) -> pa.Array:
        """Return the map column; a record without entries is null."""
        absent = pa.array(self._offsets[1:] == self._offsets[:-1])
        offsets = pa.array(self._offsets.astype(np.int32))
        return pa.MapArray.from_arrays(offsets, self._keys, self._values, mask=absent).cast(ATTRIBUTES)

    def merged(self, old: pa.Array, extra: dict[int, dict[str, str]], first: Ints) -> pa.Array:
        """Return the map column `old` with these entries and `extra` (by line) behind; none and null stays null."""
        listed = old.cast(pa.list_(_ENTRY))
        flat = pc.list_flatten(listed)
        lengths = pc.fill_null(pc.list_value_length(listed), 0).to_numpy(zero_copy_only=False)
        place = {int(row): record for record, row in enumerate(first) if int(row) in extra}
        further = [
            (place[row], key, value) for row, pairs in extra.items() if row in place for key, value in pairs.items()
        ]
        records = np.arange(len(old))
        owners = np.concatenate(
            [np.repeat(records, lengths), np.repeat(records, np.diff(self._offsets)),
             np.array([owner for owner, _, _ in further], np.int64)]
        )  # fmt: skip
        order = pa.array(np.argsort(owners, kind="stable"))
        more = [pa.array([entry[at] for entry in further], pa.string()) for at in (1, 2)]
        keys = pa.concat_arrays([pc.struct_field(flat, 0), self._keys, more[0]]).take(order)
        values = pa.concat_arrays([pc.struct_field(flat, 1), self._values, more[1]]).take(order)
        counts = np.bincount(owners, minlength=len(old))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]).astype(np.int32)
        absent = pa.array((counts == 0) & old.is_null().to_numpy(zero_copy_only=False))
        return pa.MapArray.from_arrays(pa.array(offsets), keys, values, mask=absent).cast(ATTRIBUTES)
