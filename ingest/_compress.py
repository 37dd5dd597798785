"""Decompression that stops at a limit: a few kilobytes can stand for gigabytes of zeros.

zlib, zstd and lz4 are read in steps and given up once the output passes the limit; a snappy block states its size in
front. The libraries for the last three come with kafka-python's extras.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from telemetry import DecodeError

MAX_MESSAGE = 8 * 1024 * 1024
"""A larger message, after decompression, is rejected whole."""

_STEP = 256 * 1024
_XERIAL, _XERIAL_HEAD = b"\x82SNAPPY\x00", 16  # Java's snappy streams: the mark, a version; then sized blocks
_MARKS = {
    b"\x1f\x8b\x08": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    _XERIAL: "snappy",
}
FIRST_BYTES = frozenset(mark[0] for mark in _MARKS)
"""What compressed data begins with."""


def codec_of(data: bytes) -> str | None:
    """Tell by its first bytes how data is compressed; None: it is not, or by bare snappy, which has no mark."""
    if not data or data[0] not in FIRST_BYTES:
        return None
    return next((codec for mark, codec in _MARKS.items() if data.startswith(mark)), None)


def decompress(codec: str, data: bytes | memoryview, limit: int = MAX_MESSAGE) -> bytearray:
    """Return the data of a `gzip`, `deflate`, `zstd`, `lz4` or `snappy` stream.

    Raises DecodeError: too_long above `limit` bytes, bad_compression for what is damaged, cut off or an unknown codec.
    """
    if codec not in _READERS:
        raise DecodeError("bad_compression", f"compressed by {codec:.40}; known are {', '.join(_READERS)}")
    try:
        return _in_bounds(codec, data, limit)
    except _damage() as error:
        raise DecodeError("bad_compression", f"damaged {codec} data: {str(error) or type(error).__name__}") from None


def _in_bounds(codec: str, data: bytes | memoryview, limit: int) -> bytearray:
    """Decompress, once past a quarter of the limit only after counting: what is too long is never held in memory."""
    out, size = bytearray(), 0
    for part in _READERS[codec](data, limit):
        size += len(part)
        if size > limit:
            raise _too_long(codec, limit)
        if size <= limit // 4:
            out += part
        else:
            out.clear()
    if size == len(out):
        return out
    out, at = bytearray(size), 0
    for part in _READERS[codec](data, limit):
        out[at : at + len(part)] = part
        at += len(part)
    return out


def _damage() -> tuple[type[Exception], ...]:
    """Return what the libraries raise for damaged data."""
    import snappy  # type: ignore[import-untyped]  # has no types, as lz4
    import zstandard

    own = (zstandard.ZstdError, snappy.UncompressError)
    return *own, zlib.error, OSError, EOFError, ValueError, RuntimeError, struct.error


def _too_long(codec: str, limit: int) -> DecodeError:
    return DecodeError("too_long", f"{codec} data of more than {limit} bytes when decompressed, want at most that")


def _zlib(data: bytes | memoryview, limit: int, bits: int) -> Iterator[bytes]:
    """Yield the output of all gzip members, one after the other."""
    rest: Any = data
    while len(rest):
        reader = zlib.decompressobj(bits)
        while not reader.eof:
            part = reader.decompress(rest, _STEP)
            rest = reader.unconsumed_tail
            if not part and not rest and not reader.eof:
                raise EOFError("it ends too soon")
            yield part
        rest = reader.unused_data.lstrip(b"\0")  # some writers pad


def _gzip(data: bytes | memoryview, limit: int) -> Iterator[bytes]:
    return _zlib(data, limit, 31)


def _deflate(data: bytes | memoryview, limit: int) -> Iterator[bytes]:
    return _zlib(data, limit, 15)


def _zstd(data: bytes | memoryview, limit: int) -> Iterator[bytes]:
    import io

    import zstandard

    # The reader does not say whether the last frame was whole: what is cut off swallows the beginning of a frame put
    # behind it, so a mark of ours that does not come out at the end tells.
    mark = b"whole"
    source = io.BytesIO(b"".join((data, zstandard.compress(mark))))
    # A frame may ask for a window of gigabytes to be held; 8 MiB is what decoders must support (RFC 8878).
    reader = zstandard.ZstdDecompressor(max_window_size=max(limit // 2, 8 * 1024 * 1024))
    held = b""
    with reader.stream_reader(source, read_across_frames=True) as stream:
        while part := stream.read(_STEP):
            held += part
            yield held[: -len(mark)]
            held = held[-len(mark) :]
    if held != mark:
        raise EOFError("it ends too soon")


def _lz4(data: bytes | memoryview, limit: int) -> Iterator[bytes]:
    import lz4.frame  # type: ignore[import-untyped]

    rest = bytes(data)
    while rest:
        reader = lz4.frame.LZ4FrameDecompressor()
        part = reader.decompress(rest, _STEP)
        while True:
            yield part
            if reader.eof:
                break
            if reader.needs_input:
                raise EOFError("it ends too soon")
            part = reader.decompress(b"", _STEP)
        rest = reader.unused_data or b""


def _snappy(data: bytes | memoryview, limit: int) -> Iterator[bytes]:
    import snappy

    for block in _snappy_blocks(bytes(data)):
        if _stated(block) > limit:
            raise _too_long("snappy", limit)
        yield snappy.uncompress(block)


def _snappy_blocks(data: bytes) -> Iterator[bytes]:
    if not data.startswith(_XERIAL):
        yield data
        return
    at = _XERIAL_HEAD
    while at < len(data):
        (size,) = struct.unpack_from(">i", data, at)
        if not 0 < size <= len(data) - at - 4:
            raise EOFError("it ends too soon")
        yield data[at + 4 : at + 4 + size]
        at += 4 + size


def _stated(block: bytes) -> int:
    """Return the size a snappy block states for its output: a varint of at most 5 bytes in front."""
    size = 0
    for place, byte in enumerate(block[:5]):
        size |= (byte & 127) << 7 * place
        if byte < 128:
            return size
    raise EOFError("no size in front")


_READERS: dict[str, Callable[[bytes | memoryview, int], Iterator[bytes]]] = {
    "gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstd,
    "lz4": _lz4,
    "snappy": _snappy,
}
