"""Unpacking: nothing outside the folder, no links, no bombs, and no half archive taken for a whole one."""

import tarfile
import zipfile
from pathlib import Path

import pytest

from benchmarks.datasets import DataError
from benchmarks.datasets._unpack import Limits, limits_for, unpack

from .data_server import tarred, zipped

FILES = {"top/data/a.csv": b"1\n", "top/data/deep/b.csv": b"2\n", "top/README": b"hello"}


def unpacked(packed: bytes, suffix: str, to: Path, limits: Limits | None = None, keep: tuple[str, ...] = ()) -> Path:
    archive = to / f"a{suffix}"
    archive.write_bytes(packed)
    folder = to / "out"
    folder.mkdir()
    unpack(archive, folder, limits or Limits(10**6, 100), keep)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("pack", "suffix"), [(zipped, ".zip"), (tarred, ".tar.gz")])
def test_everything_or_what_is_to_keep(pack, suffix: str, tmp_path: Path):
    (tmp_path / "all").mkdir()
    (tmp_path / "some").mkdir()
    assert content(unpacked(pack(FILES), suffix, tmp_path / "all")) == FILES
    kept = unpacked(pack(FILES), suffix, tmp_path / "some", keep=("data/", "LICENSE"))
    assert content(kept) == {"data/a.csv": b"1\n", "data/deep/b.csv": b"2\n"}


@pytest.mark.parametrize(("pack", "suffix"), [(zipped, ".zip"), (tarred, ".tar.gz")])
@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/tmp/evil", "..\\evil", "x" * 300])
def test_paths_that_lead_outside(pack, suffix: str, name: str, tmp_path: Path):
    with pytest.raises(DataError, match=r"outside the folder|characters"):
        unpacked(pack({name: b"evil"}), suffix, tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted([f"a{suffix}", "out"])


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_tar(kind: bytes, tmp_path: Path):
    with pytest.raises(DataError, match="link or a device"):
        unpacked(tarred({"ok": b"1"}, {"link": "/etc/passwd"}, kind), ".tar.gz", tmp_path)


def test_links_in_zip(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "l.zip", "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="link or a device"):
        unpacked((tmp_path / "l.zip").read_bytes(), ".zip", tmp_path)


@pytest.mark.parametrize(("pack", "suffix"), [(zipped, ".zip"), (tarred, ".tar.gz")])
def test_bombs(pack, suffix: str, tmp_path: Path):
    (tmp_path / "big").mkdir()
    (tmp_path / "many").mkdir()
    with pytest.raises(DataError, match="unpacks to more than 5000 bytes"):
        unpacked(pack({"a": bytes(3000), "b": bytes(3000)}), suffix, tmp_path / "big", Limits(5000, 10))
    with pytest.raises(DataError, match="more than 10 files"):
        unpacked(pack({str(i): b"" for i in range(11)}), suffix, tmp_path / "many", Limits(5000, 10))


def test_limits_follow_the_size_of_the_archive(tmp_path: Path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(bytes(1000))
    limits = limits_for(archive, tmp_path, 10**15, 5)
    assert limits.max_bytes == 200 * 1000 + 64 * 1024**2
    assert "bomb" in limits.why
    assert limits_for(archive, tmp_path, 1234, 5).max_bytes == 1234


@pytest.mark.parametrize(("pack", "suffix"), [(zipped, ".zip"), (tarred, ".tar.gz")])
def test_damage(pack, suffix: str, tmp_path: Path):
    whole = pack({"a": bytes(range(256)) * 50})
    for i, packed in enumerate((whole[: len(whole) // 2], b"<html>", b"", whole[:40] + b"\0\0\0\0" + whole[44:])):
        (tmp_path / str(i)).mkdir()
        with pytest.raises(DataError, match=r"damaged|holds no file"):
            unpacked(packed, suffix, tmp_path / str(i))


def test_nothing_in_it(tmp_path: Path):
    with pytest.raises(DataError, match="holds no file"):
        unpacked(zipped({}), ".zip", tmp_path)


def test_a_path_that_is_named_twice(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("a", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", "2")
    with pytest.raises(DataError, match="names a path twice"):
        unpacked((tmp_path / "t.zip").read_bytes(), ".zip", tmp_path)
