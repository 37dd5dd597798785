"""A limit on what kafka-python decompresses.

The library (3.0.12) decompresses a whole record batch without bound and lets a damaged one end the consumer, for ever,
since it begins there again. It has no setting or hook for either. So `bound` replaces the one method of its batches
that decompresses. A batch that is too large or damaged then holds a single record in place of its own, at its last
offset: the marked refusal, which becomes a dead letter while the records behind it go on.
"""

import struct
import uuid
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from ingest._compress import decompress
from telemetry import DecodeError

MAX_BATCH = 64 * 1024 * 1024
"""Record batches may decompress to this many bytes; a broker's default limit is 1 MiB compressed."""
_CODECS = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
_MARK = f"faultline.refused.{uuid.uuid4().hex}"  # a header nobody else can write
_KEPT = 64 * 1024


@dataclass(frozen=True)
class Refusal:
    """Why a record batch could not be read, and how many records it holds."""

    reason: str
    detail: str
    records: int


def bound(limit: int) -> None:
    """Let no record batch of any consumer in this process decompress to more than `limit` bytes."""
    from kafka.errors import CorruptRecordError
    from kafka.record import legacy_records
    from kafka.record.default_records import DefaultRecordBatch

    def uncompress(batch: Any) -> None:
        if not batch._decompressed and batch.compression_type:
            _replace(batch, limit)
        batch._decompressed = True

    def legacy(codec: str) -> Any:
        """Batches older than Kafka 0.11 have no header to make a refusal from: they fail, loudly."""

        def decode(data: bytes) -> bytes:
            try:
                return bytes(decompress(codec, data, limit))
            except DecodeError as error:
                raise CorruptRecordError(str(error)) from None

        return decode

    DefaultRecordBatch._maybe_uncompress = uncompress
    for codec in ("gzip", "snappy", "lz4"):
        setattr(legacy_records, f"{codec}_decode", legacy(codec))


def _replace(batch: Any, limit: int) -> None:
    """Put the decompressed records, or the refusal, into the place of the compressed ones."""
    data = memoryview(batch._buffer)[batch._pos :]
    codec = _CODECS.get(batch.compression_type, f"codec {batch.compression_type}")
    try:
        batch._buffer = decompress(codec, data, limit)
    except DecodeError as error:
        first, last, count = batch.base_offset, batch.last_offset, max(batch.records_count, 1)
        detail = f"{error.detail} (a batch of {count} messages, offsets {first} to {last})"
        refusal = Refusal(error.reason, detail, count)
        batch._buffer = bytearray(_record(batch.last_offset_delta, bytes(data[:_KEPT]), orjson.dumps(asdict(refusal))))
        batch._num_records = 1
    batch._pos = 0


def refusal_of(record: Any) -> Refusal | None:
    """Return the refusal that stands for a record batch, if `record` (kafka-python's) is one."""
    for key, value in record.headers:
        if key == _MARK:
            return Refusal(**orjson.loads(value))
    return None


def _record(offset_delta: int, value: bytes, note: bytes) -> bytes:
    """Return one record of message format 2: no key, `value`, and the mark with `note` as its header."""
    mark = _MARK.encode()
    parts = [b"\0", _varint(0), _varint(offset_delta), _varint(-1), _varint(len(value)), value]
    parts += [_varint(1), _varint(len(mark)), mark, _varint(len(note)), note]
    body = b"".join(parts)
    return _varint(len(body)) + body


def _varint(number: int) -> bytes:
    """Return a zigzag varint, as Kafka writes them."""
    rest = number << 1 ^ number >> 63
    out = bytearray()
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    return struct.pack(f"{len(out)}sB", bytes(out), rest)
