"""Checks of the machine and the store."""

import json
import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest

from faultline import doctor
from faultline.cli import _main


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def findings(store: object) -> dict[str, doctor.Check]:
    return {check.name: check for check in doctor.examine(None, str(store))}


def test_a_good_store_passes(store):
    found = findings(store)
    assert {check.level for check in found.values()} <= {"OK", "WARN"}
    assert found["store"].detail == "readable, 1 input partitions"


def test_a_missing_store_is_no_failure_and_is_not_made(tmp_path):
    assert findings(tmp_path / "new")["store"].level == "OK"
    assert not (tmp_path / "new").exists()


def test_reading_every_file_finds_a_changed_one_and_repair_takes_it_out(store, tmp_path):
    shutil.copytree(store, tmp_path / "copy")
    path = max((tmp_path / "copy/logs").glob("*.parquet"), key=lambda path: path.stat().st_size)
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * 400 + content[500:])
    full = list(doctor.examine(None, str(tmp_path / "copy"), full=True))
    assert [check.name for check in full if check.level == "FAIL"] == ["data file", "data files"]
    assert any(str(path) in check.detail for check in full)
    mended = list(doctor.examine(None, str(tmp_path / "copy"), repair=True))
    assert "FAIL" not in {check.level for check in mended}
    again = {check.name: check for check in doctor.examine(None, str(tmp_path / "copy"), full=True)}
    assert again["data files"].detail == "every one can be read"


def test_a_damaged_store_fails(store, tmp_path):
    shutil.copytree(store, tmp_path / "copy")
    for path in (tmp_path / "copy/ledger/_delta_log").glob("*.*"):
        path.write_text("{not json")
    assert findings(tmp_path / "copy")["store"].level == "FAIL"


def test_a_store_that_cannot_be_written_fails():
    assert findings("/proc/nowhere")["store folder"].level == "FAIL"


def test_a_store_that_is_no_folder_fails():
    assert findings("ftp://host/x")["store"].level == "FAIL"


@pytest.mark.parametrize(("free", "level"), [(10**12, "OK"), (2**31, "WARN"), (10**6, "FAIL")])
def test_disk_space(tmp_path, monkeypatch, free, level):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "total used free")(10**12, 0, free))
    assert findings(tmp_path)["disk"].level == level


def test_a_slip_in_a_variable_is_seen(tmp_path, monkeypatch):
    monkeypatch.setenv("FAULTLINE_WINDOW_S", "3")
    found = findings(tmp_path)["environment"]
    assert (found.level, "FAULTLINE_WINDOW_S" in found.detail) == ("WARN", True)


def test_a_wrong_setting_fails(tmp_path, monkeypatch):
    monkeypatch.setenv("FAULTLINE_COMMIT_INTERVAL_S", "never")
    assert findings(tmp_path)["settings"].level == "FAIL"


def test_a_taken_port_is_seen():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert doctor.check_port("port", server.getsockname()[1]).level == "WARN"


def test_the_command_exits_1_on_a_failure(capsys, store):
    assert _main.run(["doctor", "--store", "/proc/nowhere"]) == 1
    assert "FAIL  store folder: cannot write" in capsys.readouterr().out
    assert _main.run(["doctor", "--store", str(store), "--json"]) == 0
    assert {"level", "name", "detail"} == set(json.loads(capsys.readouterr().out)[0])
