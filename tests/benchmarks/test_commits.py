"""The measurement of commits, once, in two pieces."""

from pathlib import Path

import pytest

from benchmarks.commits import measure
from storage import Store


def test_a_day_of_commits_is_made_in_pieces(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    measure(tmp_path, 10, 0)
    measure(tmp_path, 12, 1)
    said = capsys.readouterr().out
    for what in (
        "to 10 (300 rows each, ",
        "to 12 (5,000 rows each, ",
        "median/p95 ms: a flush",
        "these 1 in all",
        "files: {",
    ):
        assert what in said
    with Store.open(tmp_path).reader() as reader:
        assert reader.query("SELECT count(*) AS n FROM raw_logs")["n"].to_pylist() == [11 * 300 + 5000]
        assert reader.query("SELECT count(*) AS n FROM raw_state")["n"].to_pylist() == [1]
