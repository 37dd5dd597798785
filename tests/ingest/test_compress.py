"""Decompression: every codec, damaged data, and bombs that must cost no more than the limit."""

import contextlib
import gzip
import subprocess
import sys
import zlib
from pathlib import Path

import kafka.codec
import lz4.frame
import pytest
import snappy
import zstandard

from ingest._compress import codec_of, decompress
from telemetry import DecodeError

DATA = b"2026-01-05 08:00:00 INFO all is well with cart 17\n" * 2000
MAKERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
    "lz4": lz4.frame.compress,
    "snappy": snappy.compress,
}
MARKED = {**{name: MAKERS[name] for name in ("gzip", "zstd", "lz4")}, "snappy": kafka.codec.snappy_encode}


@pytest.mark.parametrize("codec", MAKERS)
def test_what_was_compressed_comes_back_up_to_the_limit(codec):
    packed = MAKERS[codec](DATA)
    assert decompress(codec, packed, len(DATA)) == DATA
    with pytest.raises(DecodeError, match="too_long"):
        decompress(codec, packed, len(DATA) - 1)


@pytest.mark.parametrize("codec", MARKED)
def test_marks_tell_the_codec_and_several_streams_are_one(codec):
    packed = MARKED[codec](DATA)
    assert codec_of(packed) == codec
    assert decompress(codec, packed) == DATA
    if codec != "snappy":
        assert decompress(codec, packed + packed) == DATA * 2


@pytest.mark.parametrize("text", [b"", b"(plain text)", b"{}", b"\n\n", "ü".encode(), b"\x04 control"])
def test_text_is_not_taken_for_compressed(text):
    assert codec_of(text) is None


@pytest.mark.parametrize("codec", MAKERS)
def test_damaged_data_is_one_decode_error(codec):
    packed = MAKERS[codec](DATA)
    for bad in (packed[: len(packed) // 2], b"\xff" * 100):
        with pytest.raises(DecodeError, match="bad_compression"):
            decompress(codec, bad)
    with contextlib.suppress(DecodeError):  # zstd and snappy have no checksum by default
        decompress(codec, packed[:20] + bytes(9) + packed[29:])
    with pytest.raises(DecodeError, match="compressed by br; known are gzip"):
        decompress("br", b"x")


_BOMB = """
import resource, sys
from ingest._compress import decompress
from telemetry import DecodeError
codec, limit = sys.argv[1], 16 << 20
with open(sys.argv[2], "rb") as file:
    packed = file.read()
try:
    decompress(codec, b"")  # imports what there is to import
except DecodeError:
    pass
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decompress(codec, packed, limit)
except DecodeError as error:
    assert error.reason == "too_long", error
else:
    raise SystemExit("it was taken")
rise = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
assert rise <= limit, rise
"""


@pytest.mark.parametrize("codec", ["gzip", "zstd", "lz4"])
def test_a_bomb_costs_no_more_memory_than_the_limit(tmp_path, codec):
    pack = MAKERS[codec] if codec != "gzip" else lambda data: gzip.compress(data, 1)
    (tmp_path / "bomb").write_bytes(pack(bytes(100 << 20)))
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", _BOMB, codec, str(tmp_path / "bomb")]  # a process's peak memory is its own
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
