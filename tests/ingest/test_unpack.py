"""Files that are compressed or in UTF-16 are read as the text they hold."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from ingest import FilesSource, line_starts
from ingest._unpack import Unpacked, utf16

TEXT = "".join(f"line {number} é\n" for number in range(60_000)).encode()


def zstd(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd,
}


def read(path: Path, **options: int) -> tuple[list[str], list[tuple[str, str]]]:
    with closing(FilesSource([path], once=True, any_time=True, **options)) as source:
        source.seek({})
        found: list[str] = []
        while not source.finished:
            for batch in source.poll(0, {}):
                found += batch.lines["body"].to_pylist()
        return found, source.skipped


@pytest.mark.parametrize("suffix", PACKERS)
def test_compressed_files_are_read_whole_also_of_several_parts(tmp_path: Path, suffix: str) -> None:
    pack = PACKERS[suffix]
    path = tmp_path / f"cart.log.{suffix}"
    path.write_bytes(pack(TEXT[:1000]) + pack(TEXT[1000:]))
    found, skipped = read(path)
    assert found == TEXT.decode().splitlines()
    assert skipped == []
    assert len(line_starts(path)) == 60_000


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_compressed_file_goes_on_where_it_was(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cart.log.{suffix}"
    path.write_bytes(PACKERS[suffix](TEXT))
    with closing(FilesSource([path], once=True, any_time=True)) as source:
        source.seek({})
        [batch] = source.poll(0, {})
    with closing(FilesSource([path], once=True, any_time=True)) as again:
        again.seek({batch.partition.app_id: batch.next})
        [rest] = again.poll(0, {})
    assert rest.lines["line"][0].as_py() == batch.read + 1
    assert rest.lines["body"][0].as_py() == f"line {batch.read} é"
    assert rest.lines["service"][0].as_py() == "cart"


@pytest.mark.parametrize("suffix", PACKERS)
def test_broken_files_and_bombs_are_named_and_what_came_before_is_kept(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cart.log.{suffix}"
    packed = PACKERS[suffix](b"zero\n" * 1_000_000 if suffix != "bz2" else TEXT * 6)
    path.write_bytes(packed)
    found, [(_, reason)] = read(path, max_unpacked=3_000_000)
    assert "unpacks to more than 3,000,000 bytes" in reason
    assert 0 < len(found) < 600_000
    path.write_bytes(packed[: len(packed) // 2])
    _, [(_, reason)] = read(path)
    assert "is broken or cut off" in reason


def test_compressed_files_are_left_alone_where_files_are_followed(tmp_path: Path) -> None:
    """They are what rotation leaves of files that were read before."""
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(b"one\n"))
    with closing(FilesSource([tmp_path])) as source:
        skipped = source.skipped
    assert [reason for _, reason in skipped] == ["compressed (gzip): read with --once only; what grows must be UTF-8"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("packed", [False, True])
def test_utf16_is_read_as_text(tmp_path: Path, encoding: str, packed: bool) -> None:
    text = "plain text 1\r\nnaïve 😀 2\r\nlast" if encoding == "utf-16" else "plain text 1\nnaive 2\nlast"
    data = text.encode(encoding)
    path = tmp_path / "cart.log"
    path.write_bytes(gzip.compress(data) if packed else data)
    found, _ = read(path)
    assert found == text.splitlines()


def test_half_characters_do_not_stop_utf16(tmp_path: Path) -> None:
    path = tmp_path / "cart.log"
    path.write_bytes(b"\xff\xfe" + "ab\n".encode("utf-16-le") + b"\x00\xd8\n\x00c\x00d")
    found, _ = read(path)
    assert found == ["ab", "\\xed\\xa0\\x80", "c\ufffd"]


def test_text_with_some_nul_is_no_utf16() -> None:
    assert utf16(b"a\0b\0 and then plain text") is None
    assert utf16("text".encode("utf-16-be")) == "utf-16-be"


def test_going_back_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(TEXT))
    text = Unpacked(path, "gzip")
    assert text.at(700_000, 10) == TEXT[700_000:700_010]
    assert text.at(5, 10) == TEXT[5:15]
    assert text.size() == len(TEXT)
    assert text.at(len(TEXT) - 3, 10) == TEXT[-3:]
    text.close()
