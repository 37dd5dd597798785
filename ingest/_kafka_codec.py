"""Kafka's record batches (message format 2) read as columns, with a limit on what they decompress to.

kafka-python (3.0.12) makes four Python objects a record, decompresses a batch without bound, and lets a damaged one end
the consumer, for ever, since it begins there again; it has no setting or hook for any of it. So the consumer's fetcher
gets a class of batches that are handed out whole (`hand_out_batches`), still compressed, and `read` turns many of them
into columns at once. A batch that is too large or damaged becomes one refused message at its last offset, and reading
goes on behind it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from ingest._compress import MAX_MESSAGE, decompress
from ingest._pieces import cut
from ingest._received import Messages, Refusal, too_long
from ingest._tables import MAX_RAW, Ints
from telemetry import DecodeError

MAX_BATCH = 64 * 1024 * 1024
"""Record batches may decompress to this many bytes; a broker's default limit is 1 MiB compressed."""
_CODECS = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
_SERVICE = b"service"
_PAD = bytes(10)  # a varint that begins at the last byte may be read to its end
_DAMAGED = (IndexError, ValueError, OverflowError, pa.ArrowException)


@dataclass(frozen=True)
class Packed:
    """A record batch as it came."""

    first: int
    last: int
    count: int
    codec: int
    timestamp: int  # that deltas add to; of all records if `fixed`
    fixed: bool
    data: memoryview

    def __len__(self) -> int:
        return len(self.data)


@dataclass(frozen=True)
class _Record:
    """What kafka-python takes for a record."""

    value: Packed
    offset: int
    timestamp: int
    timestamp_type: int
    size_in_bytes: int
    key = checksum = None
    headers = ()

    def validate_crc(self) -> bool:
        """The batch's checksum covers it."""
        return True


def hand_out_batches(consumer: Any, limit: int) -> None:
    """Make a kafka-python consumer hand out one record a batch, with a `Packed` as its value.

    Batches in a format older than Kafka 0.11 still come record by record, and may decompress to `limit` bytes.
    """
    from kafka.record.default_records import DefaultRecordBatch

    class Whole(DefaultRecordBatch):  # type: ignore[misc]
        """A batch of one record, itself."""

        __slots__ = ()

        def __iter__(self) -> Iterator[_Record]:
            fixed = bool(self.timestamp_type)
            stamp = self.max_timestamp if fixed else self.first_timestamp
            data = memoryview(self._buffer)[self._pos :]
            ends = self.base_offset, self.last_offset
            packed = Packed(*ends, self.records_count, self.compression_type, stamp, fixed, data)
            return iter((_Record(packed, packed.last, stamp, self.timestamp_type, len(data)),))

    class Batches:
        """The batches of a fetched partition."""

        def __init__(self, records: Any) -> None:
            self._records = records

        def next_batch(self) -> Any:
            batch = self._records.next_batch()
            return Whole(batch._buffer) if isinstance(batch, DefaultRecordBatch) else batch

    fetcher = consumer._fetcher

    class Records(fetcher.PartitionRecords):  # type: ignore[misc, name-defined]
        """Where the fetcher takes records from: aborted transactions and markers are left out here."""

        def _unpack_records(self, partition: Any, records: Any, *deserializers: Any) -> Iterator[Any]:
            found: Iterator[Any] = super()._unpack_records(partition, Batches(records), *deserializers)
            return found

    fetcher.PartitionRecords = Records
    _bound_old_formats(limit)


def _bound_old_formats(limit: int) -> None:
    """Their batches have no header to make a refusal from: they fail, loudly."""
    from kafka.errors import CorruptRecordError
    from kafka.record import legacy_records

    def bounded(codec: str) -> Any:
        def decode(data: bytes) -> bytes:
            try:
                return bytes(decompress(codec, data, limit))
            except DecodeError as error:
                raise CorruptRecordError(str(error)) from None

        return decode

    for codec in ("gzip", "snappy", "lz4"):
        setattr(legacy_records, f"{codec}_decode", bounded(codec))


@dataclass(frozen=True)
class Opened:
    """A record batch and its records, decompressed."""

    batch: Packed
    data: bytearray | memoryview


def open_batch(batch: Packed, limit: int) -> "Opened | Messages":
    """Return a record batch decompressed, or its refusal: over `limit` bytes, or damaged."""
    try:
        return Opened(batch, _decompressed(batch, limit))
    except DecodeError as error:
        return _refused(batch, error)


def _decompressed(batch: Packed, limit: int) -> bytearray | memoryview:
    if not batch.codec:
        return batch.data
    return decompress(_CODECS.get(batch.codec, f"codec {batch.codec}"), batch.data, limit)


def read(batches: "Sequence[Opened | Messages]") -> list[Messages]:
    """Return the messages of consecutive record batches, in order; refusals for what is damaged."""
    found: list[Messages] = []
    for opened, group in groupby(batches, lambda one: isinstance(one, Opened)):
        several: list[Any] = list(group)
        found += _columns_or_refusals(several) if opened else several
    return found


def _columns_or_refusals(batches: list[Opened]) -> list[Messages]:
    """Read all batches at once; where one of them is damaged, each for itself."""
    try:
        return [_columns(batches)]
    except _DAMAGED as error:
        if len(batches) == 1:
            return [_refused(batches[0].batch, DecodeError("bad_batch", f"damaged records: {error}"))]
    return [messages for one in batches for messages in _columns_or_refusals([one])]


def _refused(batch: Packed, error: DecodeError) -> Messages:
    count = max(batch.count, 1)
    detail = f"{error.detail} (a batch of {count} messages, offsets {batch.first} to {batch.last})"
    found = Messages.build([batch.last], [0], [None], [None], [bytes(batch.data[:MAX_RAW])])
    return replace(found, refusals={0: Refusal(error.reason, detail, count)})


def _columns(batches: Sequence[Opened]) -> Messages:
    """Read the records of batches, each field of all of them at once. Raises one of _DAMAGED."""
    starts, ends = _records(batches)
    data = b"".join((*(one.data for one in batches), _PAD))
    raw = np.frombuffer(data, np.uint8)
    packed = [one.batch for one in batches]
    counts = np.array([batch.count for batch in packed])
    late, at = _varints(raw, starts + 1)  # behind the attributes, which no version uses
    delta, at = _varints(raw, at)
    key_size, key = _varints(raw, at)
    value_size, value = _varints(raw, key + np.maximum(key_size, 0))
    headers, at = _varints(raw, value + np.maximum(value_size, 0))
    if (at > ends).any() or (headers < 0).any() or (at < starts).any() or ((headers == 0) & (at != ends)).any():
        raise ValueError("a record does not end where it should")
    offset = np.repeat([batch.first for batch in packed], counts) + delta
    if (
        (np.diff(offset) <= 0).any()
        or (delta < 0).any()
        or (offset > np.repeat([b.last for b in packed], counts)).any()
    ):
        raise ValueError("offsets that do not rise")
    stamp = np.repeat([batch.timestamp for batch in packed], counts)
    fixed = np.repeat([batch.fixed for batch in packed], counts)
    long = np.flatnonzero(value_size > MAX_MESSAGE)
    refusals = {int(i): too_long(int(value_size[i])) for i in long}
    value_size[long] = MAX_RAW
    blobs = cut(data, at, np.where(headers > 0, ends - at, -1))
    return Messages(
        offset,
        np.where(fixed, stamp, stamp + late),
        cut(data, key, key_size),
        _services(blobs),
        cut(data, value, value_size),
        refusals,
    )


def _records(batches: Sequence[Opened]) -> tuple[Ints, Ints]:
    """Return where each record begins, behind its length, and ends, in the batches put together.

    Each length stands where the record before it ends: the one thing that must be read record by record.
    """
    starts: list[int] = []
    ends: list[int] = []
    base = 0
    for one in batches:
        data, count, at = one.data, one.batch.count, 0
        for _ in range(count):
            byte = data[at]
            at += 1
            size, shift = byte & 127, 7
            while byte > 127:
                byte = data[at]
                at += 1
                size |= (byte & 127) << shift
                shift += 7
            starts.append(base + at)
            at += size >> 1
            ends.append(base + at)
        if at != len(data):
            raise ValueError(f"{count} records end at byte {at} of {len(data)}")
        base += at
    return np.array(starts, np.int64), np.array(ends, np.int64)


def _varints(data: Any, at: Ints) -> tuple[Ints, Ints]:
    """Return the zigzag varints that begin at these positions, and the positions behind them."""
    byte = data[at]
    value, at, shift = (byte & 127).astype(np.int64), at + 1, 7
    more = np.flatnonzero(byte > 127)
    while len(more):
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
        byte = data[at[more]]
        value[more] |= (byte & 127).astype(np.int64) << shift
        at[more] += 1
        more, shift = more[byte > 127], shift + 7
    return (value >> 1 & 2**63 - 1) ^ -(value & 1), at


def _services(blobs: pa.Array) -> pa.Array:
    """Return the `service` headers; messages of one sender mostly have the same headers, which are read once."""
    if blobs.null_count == len(blobs):
        return pa.nulls(len(blobs), pa.binary())
    known = blobs.dictionary_encode()
    return pa.array([_service_of(blob) for blob in known.dictionary.to_pylist()], pa.binary()).take(known.indices)


def _service_of(blob: bytes) -> bytes | None:
    """Return the value of the first header named service. Raises IndexError."""
    at = 0 if _SERVICE in blob else len(blob)
    while at < len(blob):
        name, at = _piece(blob, at)
        value, at = _piece(blob, at)
        if name == _SERVICE:
            return value
    return None


def _piece(blob: bytes, at: int) -> tuple[bytes | None, int]:
    """Return the bytes that begin, with their length, at a position, and the position behind them."""
    size = shift = 0
    while True:
        byte = blob[at]
        at += 1
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    if size & 1:  # negative
        return None, at
    return blob[at : at + (size >> 1)], at + (size >> 1)
