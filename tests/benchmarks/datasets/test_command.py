"""The program `faultline datasets` starts, and the way it is started."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.datasets import DATASETS, Dataset
from benchmarks.datasets import __main__ as program
from benchmarks.datasets._progress import Progress

from .data_server import Behaviour, DataServer, tarred, zipped


def test_list(capsys: pytest.CaptureFixture[str]):
    assert program.main(["list"]) == 0
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == list(DATASETS)
    assert program.main(["list", "nab", "--json"]) == 0
    (nab,) = json.loads(capsys.readouterr().out)
    assert nab["licence"].startswith("MIT")
    assert nab["files"] == [DATASETS["nab"].host + DATASETS["nab"].archives[0].path]
    assert program.main(["list", "loghub"]) == 0
    out = capsys.readouterr().out
    assert "https://zenodo.org/records/8196385/files/Apache.tar.gz?download=1" in out
    assert "academic work only" in out


def test_download_shows_the_licence_before_anything_else(
    dataset: Dataset,
    server: DataServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    one, two = zipped({"a.log": b"a\n"}), tarred({"b.log": b"b\n"})
    server.record("/api/records/7", {"One.zip": one, "Two.tar.gz": two})
    server.pages["/files/One.zip?download=1"] = Behaviour(one)
    server.pages["/files/Two.tar.gz"] = Behaviour(two)
    monkeypatch.setitem(DATASETS, "mini", dataset)
    arguments = ["download", "mini", "--to", str(tmp_path), "--file", "Two.tar.gz"]
    assert program.main(arguments) == 1
    out, err = capsys.readouterr()
    assert (out, server.seen) == ("", [])
    assert "Licence: Research only." in err
    assert err.splitlines()[-1].startswith("faultline: error: mini: its licence must be accepted")
    assert program.main([*arguments, "--accept-licence"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'mini' / 'Two'}\n"
    assert program.main(["verify", str(tmp_path)]) == 0


def test_errors_are_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert program.main(["list", "imagenet"]) == 1
    assert program.main(["verify", str(tmp_path / "nowhere")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize(("argument", "code"), [("nab", 0), ("imagenet", 1)])
def test_the_command_line_starts_it(argument: str, code: int):
    command = [sys.executable, "-m", "faultline", "datasets", "list", argument]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    assert ("Numenta" in done.stdout) == (code == 0)
    assert done.stderr.startswith("faultline: error: no data set 'imagenet'") == (code == 1)


def test_progress(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("benchmarks.datasets._progress._PLAIN_S", 0.0)
    bar = Progress("mini")
    bar(1_500_000, 3_000_000)
    bar(999, None)
    bar.close()
    assert capsys.readouterr().err.splitlines() == ["mini 1.5 MB of 3 MB (50%)", "mini 999 B"]
    monkeypatch.setattr("benchmarks.datasets._progress._TERMINAL_S", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    bar = Progress("checked", bytes_=False)
    bar(5, 10)
    bar.close()
    text = capsys.readouterr().err
    assert "━" * 15 + "╌" * 15 + " 5 of 10 (50%)" in text
    assert text.endswith("\r\x1b[2K")
