"""Text that is not stored as it is read: compressed files and UTF-16, from front to back in bounded memory."""

import bz2
import codecs
import errno
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

import pyarrow as pa

MAX_UNPACKED = 16 * 2**30
"""A file that unpacks to more bytes than this is read no further: it may be made to fill the disk."""

_MAGIC = {b"\x1f\x8b\x08": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_BLOCK = 256 * 1024
_XZ_MEMORY = 256 * 2**20
_BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError, pa.ArrowException)


class Stream(Protocol):
    """What gives bytes from front to back."""

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, none at the end."""

    def close(self) -> None:
        """Let go of the file."""


def packing(head: bytes) -> str | None:
    """Return how a file that begins with `head` is compressed, or None."""
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)


def utf16(head: bytes) -> str | None:
    """Return which UTF-16 a text is in, or None.

    It has a byte order mark and a NUL, or NUL for nearly every second byte and for no other.
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) and 0 in head:
        return "utf-16"
    even, odd = head[::2].count(0), head[1::2].count(0)
    alternating = min(even, odd) == 0 and max(even, odd) * 2 > 0.9 * len(head) > 4
    return ("utf-16-le" if odd else "utf-16-be") if alternating else None


class Unpacked:
    """A compressed file, or one in UTF-16, as the UTF-8 text it stands for. Positions are bytes of that text.

    Reading on is cheap; going back begins anew. Raises OSError where the file is broken, or unpacks to more than
    `limit` bytes.
    """

    def __init__(self, path: Path, kind: str | None, limit: int = MAX_UNPACKED) -> None:
        self._path, self._kind, self._limit = path, kind, limit
        self._stream: Stream | None = None
        self._encoding: str | None = None
        self._begin()
        try:
            self._encoding = utf16(self.at(0, 4096))
        except OSError:
            self.close()
            raise
        if self._encoding:
            self._begin()

    def _begin(self) -> None:
        self.close()
        stream = _open(self._path, self._kind)
        self._stream = _Utf8(stream, self._encoding) if self._encoding else stream
        self._start, self._buffer = 0, b""

    def at(self, position: int, size: int) -> bytes:
        """Return the bytes from `position` on, fewer than `size` only at the end."""
        if position < self._start:
            self._begin()
        while self._start + len(self._buffer) < position + size:
            block = self._next()
            if not block:
                break
            self._buffer += block
            if (passed := position - self._start) >= _BLOCK:
                self._start, self._buffer = self._start + min(passed, len(self._buffer)), self._buffer[passed:]
        return self._buffer[position - self._start : position - self._start + size]

    def size(self) -> int:
        """Return how many bytes there are in all, which takes unpacking them."""
        end = self._start + len(self._buffer)
        while self.at(end, 1):
            end = self._start + len(self._buffer)
        return end

    def _next(self) -> bytes:
        assert self._stream is not None
        try:
            block = self._stream.read(_BLOCK)
        except _BROKEN as error:
            raise OSError(errno.EIO, f"{self._kind or 'text'} data is broken or cut off ({error})") from None
        if self._start + len(self._buffer) + len(block) > self._limit:
            raise OSError(errno.EFBIG, f"unpacks to more than {self._limit:,} bytes: unpack it and split it first")
        return block

    def close(self) -> None:
        """Let go of the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _open(path: Path, kind: str | None) -> Stream:
    opened: Callable[[Path], Stream] = _OPENERS[kind]
    return opened(path)


def _zstd(path: Path) -> Stream:
    stream: Stream = pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
    return stream


class _Xz:
    """An xz file of one or more streams, whose decoder may not take more than a bounded memory."""

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = path.open("rb")
        self._decoder = self._fresh()
        self._left = b""

    def _fresh(self) -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def read(self, size: int) -> bytes:
        while True:
            if self._decoder.eof:
                self._left = self._decoder.unused_data.lstrip(b"\0") or self._file.read(_BLOCK).lstrip(b"\0")
                if not self._left:
                    return b""
                self._decoder = self._fresh()
            elif self._decoder.needs_input and not self._left:
                self._left = self._file.read(_BLOCK)
                if not self._left:
                    raise EOFError("it ends in the middle")
            data, self._left = self._decoder.decompress(self._left, size), b""
            if data:
                return data

    def close(self) -> None:
        self._file.close()


class _Utf8:
    """A text in UTF-16 as UTF-8, without its byte order mark. Half a surrogate pair stays what it is."""

    def __init__(self, stream: Stream, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")

    def read(self, size: int) -> bytes:
        while True:
            block = self._stream.read(size)
            text = self._decoder.decode(block) if block else self._rest()
            if text or not block:
                return text.encode("utf-8", "surrogatepass")

    def _rest(self) -> str:
        """Return what stands for half a character at the end."""
        half, _ = self._decoder.getstate()
        self._decoder.reset()
        return "\ufffd" if half else ""

    def close(self) -> None:
        self._stream.close()


_OPENERS: dict[str | None, Callable[[Path], Stream]] = {
    "gzip": gzip.GzipFile,
    "bzip2": bz2.BZ2File,
    "xz": _Xz,
    "zstd": _zstd,
    None: lambda path: path.open("rb"),
}
