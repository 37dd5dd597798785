"""`faultline detect-sessions`."""

import json
from pathlib import Path

import pyarrow.csv as pa_csv
import pytest

from detection import SESSION_METHODS
from faultline.cli import _main
from faultline.cli.detect_sessions import detect_sessions

NORMAL = [["open", *["read"] * (1 + i % 3), "close"] for i in range(60)]


def write(path: Path, sessions: list[list[str]], **more: object) -> Path:
    rows = [{"block": f"b{i}", "events": events, **more} for i, events in enumerate(sessions)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(tmp_path: Path, train: Path, test: Path, *more: str) -> int:
    arguments = ["detect-sessions", "--train", str(train), "--test", str(test), "-o", str(tmp_path / "out.csv"), *more]
    return _main.run(arguments)


@pytest.mark.parametrize("method", SESSION_METHODS)
def test_one_row_a_session_in_order(tmp_path: Path, method: str, capsys: pytest.CaptureFixture[str]):
    train = write(tmp_path / "train.jsonl", NORMAL)
    test = write(tmp_path / "test.jsonl", [*NORMAL[:3], ["open", "oops"]])
    assert run(tmp_path, train, test, "--method", method) == 0
    assert "4 sessions scored, 1 anomalies" in capsys.readouterr().out
    rows = pa_csv.read_csv(tmp_path / "out.csv").to_pylist()
    assert [list(row) for row in rows] == [["block", "score", "threshold", "anomaly"]] * 4
    assert [row["block"] for row in rows] == ["b0", "b1", "b2", "b3"]
    assert [row["anomaly"] for row in rows] == [0, 0, 0, 1]
    assert all((row["score"] >= row["threshold"]) == bool(row["anomaly"]) for row in rows)


def test_labels_are_not_used(tmp_path: Path):
    test = write(tmp_path / "test.jsonl", [*NORMAL[:3], ["open", "oops"]])
    found = []
    for label in (0, 1, "nonsense"):
        assert run(tmp_path, write(tmp_path / "train.jsonl", NORMAL, label=label), test) == 0
        found.append((tmp_path / "out.csv").read_bytes())
    assert len(set(found)) == 1


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"block":1}', '{"block":"a","events":"E1"}', '{"block":"a","events":[1]}']
)
def test_a_line_that_is_no_session(tmp_path: Path, line: str, capsys: pytest.CaptureFixture[str]):
    train = write(tmp_path / "train.jsonl", NORMAL)
    (tmp_path / "test.jsonl").write_text(f"{line}\n")
    assert run(tmp_path, train, tmp_path / "test.jsonl") == 1
    assert "line 1: want" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


def test_a_file_that_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(tmp_path, tmp_path / "no.jsonl", tmp_path / "no.jsonl") == 1
    assert "cannot read" in capsys.readouterr().err


def test_the_methods_offered_are_those_there_are():
    (option,) = [one for one in detect_sessions.params if one.name == "method"]
    assert list(option.type.choices) == list(SESSION_METHODS)
