"""Messages of a topic partition as columns: what every Kafka client hands on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from ingest._compress import MAX_MESSAGE
from ingest._tables import MAX_RAW, Ints

_SERVICE = "service"


@dataclass(frozen=True)
class Refusal:
    """Why a message, or a record batch of so many, is not read."""

    reason: str
    detail: str
    records: int = 1


@dataclass(frozen=True)
class Messages:
    """Consecutive messages, one entry a column each.

    `value` and `key` are binary; `service` holds the values of the `service` header; `timestamp` is in milliseconds,
    not positive where there is none. A message that is refused keeps the beginning of its value.
    """

    offset: Ints
    timestamp: Ints
    key: pa.Array
    service: pa.Array
    value: pa.Array
    refusals: Mapping[int, Refusal] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.offset)

    @classmethod
    def of(cls, records: Sequence[Any]) -> "Messages":
        """Return records that have these parts, and `headers`, as attributes (kafka-python's have)."""
        headers = [service_of(record.headers) if record.headers else None for record in records]
        return cls.build(
            [record.offset for record in records],
            [record.timestamp for record in records],
            [record.key for record in records],
            headers,
            [record.value for record in records],
        )

    @classmethod
    def build(
        cls,
        offsets: list[int],
        timestamps: list[int],
        keys: list[bytes | None],
        services: list[bytes | None],
        values: list[bytes | None],
    ) -> "Messages":
        """Return the messages in these lists."""
        long = [i for i, value in enumerate(values) if value is not None and len(value) > MAX_MESSAGE]
        refusals = {i: too_long(len(values[i] or b"")) for i in long}
        for i in long:
            values[i] = (values[i] or b"")[:MAX_RAW]
        key, service, value = (pa.array(each, pa.binary()) for each in (keys, services, values))
        return cls(np.array(offsets, np.int64), np.array(timestamps, np.int64), key, service, value, refusals)

    def within(self, first: int, last: int | None) -> "Messages":
        """Return the messages from offset `first` on, up to but not including `last`."""
        begin = int(np.searchsorted(self.offset, first))
        end = len(self) if last is None else int(np.searchsorted(self.offset, last))
        if begin == 0 and end == len(self):
            return self
        part = slice(begin, end)
        refusals = {i - begin: why for i, why in self.refusals.items() if begin <= i < end}
        columns = self.key[part], self.service[part], self.value[part]
        return Messages(self.offset[part], self.timestamp[part], *columns, refusals)


def too_long(size: int) -> Refusal:
    """Return the refusal of a message of so many bytes."""
    return Refusal("too_long", f"a message of {size} bytes, want at most {MAX_MESSAGE}")


def service_of(headers: Sequence[tuple[str, bytes | None]]) -> bytes | None:
    """Return the value of the first header of that name."""
    return next((value for name, value in headers if name == _SERVICE), None)
