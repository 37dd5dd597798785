"""`verify`: every file that is not as listed gets its line."""

from pathlib import Path

import pytest

from benchmarks.datasets import DataError, verify
from benchmarks.datasets.__main__ import main

from .miniature import write_sums


def test_a_sound_folder(data: Path):
    write_sums(data)
    found = verify(data)
    assert found.problems == ()
    assert found.files == len([path for path in data.rglob("*") if path.is_file()]) - 1


def test_each_problem_has_its_line(data: Path, capsys: pytest.CaptureFixture[str]):
    write_sums(data)
    (data / "nab/data/calm/flat.csv").unlink()
    (data / "sessions/keys_normal").write_bytes(b"")
    cut = data / "logs/Raw_1000.log"
    cut.write_bytes(cut.read_bytes()[:100])
    assert main(["verify", str(data)]) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split(": ", 2)[:2] for line in lines] == [
        [str(data / "logs/Raw_1000.log"), "altered or truncated"],
        [str(data / "nab/data/calm/flat.csv"), "missing"],
        [str(data / "sessions/keys_normal"), "empty"],
    ]
    assert last.endswith("files listed, 3 not as listed")


def test_nothing_to_check_by(data: Path):
    with pytest.raises(DataError, match="nothing to check by"):
        verify(data)
    with pytest.raises(DataError, match="no such folder"):
        verify(data / "nowhere")


@pytest.mark.parametrize("line", ["", "abc  x\n", f"{'0' * 64}  ../x\n", f"{'0' * 64}  /x\n", "\xff"])
def test_a_damaged_list(data: Path, line: str):
    (data / "SHA256SUMS").write_bytes(line.encode("latin-1"))
    with pytest.raises(DataError, match="SHA256SUMS"):
        verify(data)


def test_a_pinned_set_that_is_gone(tmp_path: Path):
    (tmp_path / "pins.json").write_text('{"mini/One.zip": {"sha256": "0", "bytes": 1, "url": "u"}}')
    assert verify(tmp_path).problems == (f"{tmp_path / 'mini/One'}: missing, mini/One.zip was downloaded here once",)
    (tmp_path / "pins.json").write_text('{"mini/One.zip": 1}')
    with pytest.raises(DataError, match="not a pins file"):
        verify(tmp_path)
