"""An export holds the rows of its range, in each form, and no half of them under its name."""

import csv
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from faultline.cli import main
from faultline.export import TABLES


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["export", *map(str, arguments)])
    return int(caught.value.code or 0)


def test_one_duckdb_file_holds_all_tables(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "all.duckdb"
    assert run("--store", store, "-o", out) == 0
    assert "2 logs" in capsys.readouterr().out
    with duckdb.connect(str(out), read_only=True) as file:
        assert {name for (name,) in file.execute("SELECT table_name FROM duckdb_tables()").fetchall()} == set(TABLES)
        assert file.execute("SELECT count(*), count(DISTINCT template_id) FROM logs").fetchall() == [(2, 1)]
        assert file.execute("SELECT max(read) FROM ledger").fetchall() == [(4,)]


def test_parquet_folder_of_a_time_range(store: Path, tmp_path: Path) -> None:
    for since, rows in (("2026-01-05T08:00", 2), ("2026-01-05T08:00:01", 0)):
        out = tmp_path / f"from-{rows}"
        assert run("--store", store, "--tables", "logs,incidents", "--since", since, "-o", out) == 0
        assert sorted(path.name for path in out.iterdir()) == ["incidents.parquet", "logs.parquet"]
        table = pq.read_table(out / "logs.parquet")
        assert (table.num_rows, "params" in table.column_names) == (rows, True)
    assert run("--store", store, "--tables", "logs", "--until", "2026-01-05T08:00", "-o", tmp_path / "none") == 0
    assert pq.read_table(tmp_path / "none" / "logs.parquet").num_rows == 0


def test_csv_is_safe_from_formulas(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "logs.csv"
    assert run("--store", store, "--tables", "logs", "-o", out) == 0
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["template_id"] for row in rows} == {"00000000000000ff"}
    assert any(row["body"].startswith("'=HYPERLINK") for row in rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "x.csv"], "can hold one table"),
        (["-o", "x.xlsx"], "want a name that ends in"),
        (["-o", "x.csv", "--tables", "log"], "no table is called log; there are: logs"),
        (["-o", "x", "--since", "noon"], "'noon' is no time"),
        (["-o", "there"], "is there already"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    arguments: list[str],
    message: str,
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    assert run("--store", store, *arguments) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
