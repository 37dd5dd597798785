"""Downloads: accepted, checked, pinned, and in place whole or not at all."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.datasets import DATASETS, Archive, DataError, Dataset, Policy, download, verify
from benchmarks.datasets import dataset as named

from .data_server import Behaviour, DataServer, tarred, zipped

ONE = zipped({"One/One.log": b"hello\n" * 1000, "One/labels.csv": b"a,b\n"})
TWO = tarred({"Two.log": b"two\n"})


@pytest.fixture(autouse=True)
def pages(server: DataServer) -> None:
    server.record("/api/records/7", {"One.zip": ONE, "Two.tar.gz": TWO})
    server.pages["/files/One.zip?download=1"] = Behaviour(ONE)
    server.pages["/files/Two.tar.gz"] = Behaviour(TWO)


def visible(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_all_files(dataset: Dataset, tmp_path: Path, policy: Policy):
    said: list[str] = []
    folders = download(dataset, tmp_path, accept_licence=True, policy=policy, say=said.append)
    assert folders == [tmp_path / "mini" / "One", tmp_path / "mini" / "Two"]
    assert visible(tmp_path) == {
        "pins.json",
        "mini/.lock",
        *(f"mini/One/{name}" for name in ("One/One.log", "One/labels.csv", "LICENCE-NOTICE.txt", "SHA256SUMS")),
        *(f"mini/Two/{name}" for name in ("Two.log", "LICENCE-NOTICE.txt", "SHA256SUMS")),
    }
    assert "Research only." in (tmp_path / "mini/One/LICENCE-NOTICE.txt").read_text()
    pins = json.loads((tmp_path / "pins.json").read_text())
    assert pins["mini/One.zip"] == {
        "sha256": hashlib.sha256(ONE).hexdigest(),
        "bytes": len(ONE),
        "url": f"{dataset.host}/files/One.zip?download=1",
    }
    assert verify(tmp_path).problems == ()
    assert len(said) == 4


def test_the_licence_must_be_accepted(dataset: Dataset, tmp_path: Path, server: DataServer):
    with pytest.raises(DataError, match=r"--accept-licence.*Research only"):
        download(dataset, tmp_path, accept_licence=False)
    assert server.seen == []
    assert not list(tmp_path.iterdir())


def test_one_file_and_no_second_fetch(dataset: Dataset, tmp_path: Path, policy: Policy, server: DataServer):
    for name in ("Two", "Two.tar.gz"):
        assert download(dataset, tmp_path, accept_licence=True, names=[name], policy=policy) == [
            tmp_path / "mini" / "Two"
        ]
    assert [path for path, _ in server.seen] == ["/api/records/7", "/files/Two.tar.gz"]
    with pytest.raises(DataError, match=r"no file 'Three'.*One\.zip, Two\.tar\.gz"):
        download(dataset, tmp_path, accept_licence=True, names=["Three"], policy=policy)


def test_the_other_form_of_a_record(dataset: Dataset, tmp_path: Path, policy: Policy, server: DataServer):
    server.record("/api/records/7", {"One.zip": ONE, "Two.tar.gz": TWO}, entries=True)
    assert len(download(dataset, tmp_path, accept_licence=True, policy=policy)) == 2


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"[]", "no file with size and checksum"),
        (b'{"files": [{"key": "One.zip"}]}', "no file with size and checksum"),
        (b'{"files": [{"key": "Else.zip", "size": 1, "checksum": "md5:00"}]}', "has no One.zip; it has Else.zip"),
        (b'{"files": [{"key": "One.zip", "size": %d, "checksum": "crc:00"}]}' % len(ONE), "checksum of kind 'crc'"),
    ],
)
def test_records_that_state_too_little(
    dataset: Dataset, tmp_path: Path, policy: Policy, server: DataServer, record: bytes, message: str
):
    server.pages["/api/records/7"] = Behaviour(record)
    with pytest.raises(DataError, match=message):
        download(dataset, tmp_path, accept_licence=True, policy=policy)


def test_a_wrong_checksum_is_refused_and_thrown_away(
    dataset: Dataset, tmp_path: Path, policy: Policy, server: DataServer
):
    server.pages["/files/One.zip?download=1"] = Behaviour(ONE[:-1] + b"x")
    with pytest.raises(DataError, match=r"md5 is .* the record states"):
        download(dataset, tmp_path, accept_licence=True, policy=policy)
    assert visible(tmp_path) == {"mini/.lock"}


def test_damage_from_an_earlier_run_is_healed(dataset: Dataset, tmp_path: Path, policy: Policy):
    part = tmp_path / "mini" / ".part" / "One.zip"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(100))
    part.with_name(part.name + ".etag").write_text('"v1"')
    download(dataset, tmp_path, accept_licence=True, names=["One"], policy=policy)
    assert verify(tmp_path).problems == ()


def test_an_interrupted_download_goes_on(dataset: Dataset, tmp_path: Path, policy: Policy, server: DataServer):
    server.pages["/files/One.zip?download=1"] = Behaviour(ONE, cut_at=50, cuts=1)
    with pytest.raises(DataError, match="run again to go on"):
        download(dataset, tmp_path, accept_licence=True, policy=replace(policy, attempts=1))
    download(dataset, tmp_path, accept_licence=True, names=["One"], policy=policy)
    assert server.seen[-1] == ("/files/One.zip?download=1", "bytes=50-")


def test_a_file_that_changed_since_the_first_time_is_refused(
    dataset: Dataset, tmp_path: Path, policy: Policy, server: DataServer
):
    plain = replace(dataset, record="", archives=(Archive("Repo.tar.gz", "/repo", ("data/",)),))
    server.pages["/repo"] = Behaviour(tarred({"repo-1/data/x": b"1", "repo-1/code.py": b""}), claimed=-1)
    (folder,) = download(plain, tmp_path, accept_licence=True, policy=policy)
    assert visible(folder) == {"data/x", "LICENCE-NOTICE.txt", "SHA256SUMS"}
    (folder / "data/x").unlink()
    folder.rename(tmp_path / "gone")
    server.pages["/repo"] = Behaviour(tarred({"repo-1/data/x": b"2"}))
    with pytest.raises(DataError, match=r"changed since its first download.*pins\.json"):
        download(plain, tmp_path, accept_licence=True, policy=policy)
    assert not folder.exists()
    server.pages["/repo"] = Behaviour(tarred({"repo-1/data/x": b"1", "repo-1/code.py": b""}))
    assert download(plain, tmp_path, accept_licence=True, policy=policy) == [folder]


@pytest.mark.parametrize("files", [{"../evil": b"1"}, {"a": bytes(10**6)}])
def test_a_bad_archive_leaves_nothing(
    dataset: Dataset, tmp_path: Path, policy: Policy, server: DataServer, files: dict[str, bytes]
):
    packed = zipped(files)
    server.record("/api/records/7", {"One.zip": packed})
    server.pages["/files/One.zip?download=1"] = Behaviour(packed)
    to = tmp_path / "to"
    with pytest.raises(DataError, match="refused"):
        download(replace(dataset, max_unpacked=10**5), to, accept_licence=True, names=["One"], policy=policy)
    assert visible(to) == {"mini/.lock"}
    assert not (tmp_path / "evil").exists()


def test_a_killed_unpacking_is_cleared_away(dataset: Dataset, tmp_path: Path, policy: Policy):
    stale = tmp_path / "mini" / ".One.unpackingabc"
    stale.mkdir(parents=True)
    (stale / "SHA256SUMS").write_text("junk")
    download(dataset, tmp_path, accept_licence=True, policy=policy)
    assert not stale.exists()


def test_two_downloads_do_not_meet(dataset: Dataset, tmp_path: Path, policy: Policy):
    import fcntl

    (tmp_path / "mini").mkdir()
    with (tmp_path / "mini" / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="another download"):
            download(dataset, tmp_path, accept_licence=True, policy=policy)


def test_a_folder_that_cannot_be_written(dataset: Dataset, tmp_path: Path, policy: Policy):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match="cannot be made: Not a directory"):
        download(dataset, tmp_path / "file", accept_licence=True, policy=policy)
    (tmp_path / "mini" / ".lock").mkdir(parents=True)
    with pytest.raises(DataError, match="cannot be written"):
        download(dataset, tmp_path, accept_licence=True, policy=policy)


def test_the_registry_is_complete():
    assert list(DATASETS) == ["loghub", "loghub-2.0", "rcaeval", "nab", "petshop", "nezha"]
    assert [len(data.archives) for data in DATASETS.values()] == [19, 14, 9, 1, 1, 1]
    for data in DATASETS.values():
        assert data.host.startswith("https://")
        assert data.licence
        assert data.citation
        assert len({archive.folder for archive in data.archives}) == len(data.archives)
        for archive in data.archives:
            assert archive.name.endswith((".zip", ".tar.gz"))
            assert archive.name in archive.path or archive.keep
    with pytest.raises(DataError, match="no data set 'imagenet'; there are loghub, "):
        named("imagenet")
