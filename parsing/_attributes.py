"""The attributes of records: those they came with, and what the header and its reading add."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parsing._columns import Ints, one_chunk
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
_ENTRY = pa.struct([pa.field("key", pa.string(), nullable=False), pa.field("value", pa.string())])


@dataclass
class _Entries:
    """Key-value pairs in any order, each with the record it belongs to."""

    owners: list[Ints] = field(default_factory=list)
    keys: list[pa.Array] = field(default_factory=list)
    values: list[pa.Array] = field(default_factory=list)

    def add(self, owners: Ints, keys: pa.Array, values: pa.Array) -> None:
        if len(owners):
            self.owners.append(owners)
            self.keys.append(keys)
            self.values.append(values)


def attribute_column(rows: pa.Table, headers: Headers, first: Ints, inherited: NDArray[np.bool_]) -> pa.Array:
    """Return the attributes of records (map column) whose first lines are `rows`, at `first` within `headers`.

    `inherited`: the record's time is that of the record before it.
    """
    added = _Entries()
    for name, attribute in _ATTRIBUTE_OF.items():
        if name in headers.text:
            _add_text(added, attribute, headers.text[name][first])
    from_header = one_chunk(rows["time"]).is_null().to_numpy(zero_copy_only=False)
    _add_flag(added, "faultline.year", headers.year_assumed[first] & from_header, "assumed")
    _add_flag(added, "faultline.date", headers.date_assumed[first] & from_header, "assumed")
    _add_flag(added, "faultline.time", inherited, "inherited")
    if headers.extra:
        _add_extra(added, headers.extra, first)
    old = one_chunk(rows["attributes"])
    return _merged(old, added) if added.owners else old


def _add_text(entries: _Entries, attribute: str, values: NDArray[Any]) -> None:
    owners = np.flatnonzero(values != "")
    entries.add(owners, _same(attribute, len(owners)), pa.array(values[owners], pa.string()))


def _add_flag(entries: _Entries, attribute: str, flags: NDArray[np.bool_], value: str) -> None:
    owners = np.flatnonzero(flags)
    entries.add(owners, _same(attribute, len(owners)), _same(value, len(owners)))


def _same(text: str, count: int) -> pa.Array:
    return pa.array(np.full(count, text, object), pa.string())


def _add_extra(entries: _Entries, extra: dict[int, dict[str, str]], first: Ints) -> None:
    place = {int(row): record for record, row in enumerate(first)}
    further = [(place[row], key, value) for row, pairs in extra.items() if row in place for key, value in pairs.items()]
    owners = np.array([owner for owner, _, _ in further], np.int64)
    keys = pa.array([key for _, key, _ in further], pa.string())
    entries.add(owners, keys, pa.array([value for _, _, value in further], pa.string()))


def _merged(old: pa.Array, added: _Entries) -> pa.Array:
    """Return the map column `old` with entries added; a record without any stays null if it was."""
    listed = old.cast(pa.list_(_ENTRY))
    flat = pc.list_flatten(listed)
    lengths = pc.fill_null(pc.list_value_length(listed), 0).to_numpy(zero_copy_only=False)
    owners = np.concatenate([np.repeat(np.arange(len(old)), lengths), *added.owners])
    order = pa.array(np.argsort(owners, kind="stable"))
    keys = pa.concat_arrays([pc.struct_field(flat, 0), *added.keys]).take(order)
    values = pa.concat_arrays([pc.struct_field(flat, 1), *added.values]).take(order)
    counts = np.bincount(owners, minlength=len(old))
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]).astype(np.int32)
    absent = pa.array((counts == 0) & old.is_null().to_numpy(zero_copy_only=False))
    return pa.MapArray.from_arrays(pa.array(offsets), keys, values, mask=absent).cast(ATTRIBUTES)
