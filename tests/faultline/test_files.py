"""Result files and the plain forms of tables."""

import csv
import io
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.cli._files import csv_bytes, csv_header, json_bytes, records, table_file
from faultline.cli._text import one_line, visible
from telemetry import UsageError

TABLE = pa.table(
    {
        "time": pa.array([datetime(2026, 1, 5, 8, 0, 0, 5, UTC), None], pa.timestamp("us", "UTC")),
        "template_id": pa.array([255, None], pa.int64()),
        "params": pa.array([["a", "-b"], None], pa.list_(pa.string())),
        "message": pa.array(["=1+1", None]),
        "raw": pa.array([b"\xff", None], pa.binary()),
        "score": pa.array([1.5, None]),
    }
)
CSV = ["2026-01-05T08:00:00.000005Z", "00000000000000ff", '["a","-b"]', "'=1+1", "\\xff", "1.5"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_file_holds_every_table_written(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    with table_file(path, TABLE.schema) as file:
        file.write(TABLE)
        file.write(TABLE)
    if suffix == ".parquet":
        assert pq.read_table(path).equals(pa.concat_tables([TABLE, TABLE]))
    elif suffix == ".csv":
        rows = list(csv.reader(io.StringIO(path.read_text("utf-8"))))
        assert rows == [TABLE.column_names, CSV, [""] * 6, CSV, [""] * 6]
    else:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        first = {"time": CSV[0], "template_id": CSV[1], "params": ["a", "-b"], "message": "=1+1", "raw": "\\xff"}
        assert rows == [first | {"score": 1.5}, dict.fromkeys(TABLE.column_names)] * 2


def test_a_failure_leaves_no_file(tmp_path):
    def fail() -> None:
        with table_file(tmp_path / "out.csv", TABLE.schema) as file:
            file.write(TABLE)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "part"), [("out.xlsx", "must end in"), ("nowhere/out.csv", "cannot write")])
def test_a_wrong_name_is_said_so(tmp_path, name, part):
    with pytest.raises(UsageError, match=part), table_file(tmp_path / name, TABLE.schema):
        pass


@given(st.text())
def test_no_csv_cell_can_be_a_formula(text: str):
    ((safe,),) = csv.reader(io.StringIO(csv_bytes(pa.table({"a": [text]})).decode(), newline=""))
    if safe.startswith(("=", "+", "-", "@", "\t", "\r")):
        float(safe)  # a plain number is no formula
    assert safe in (text, f"'{text}")


def test_column_names_of_a_query_are_text_too():
    assert csv_header(["=1", "b"]) == b'"\'=1","b"\n'


def test_json_has_no_nan_and_hex_ids():
    assert json_bytes({"a": float("nan")}) == b'{"a":null}\n'
    assert records(TABLE)[0]["template_id"] == "00000000000000ff"


@given(st.text())
def test_no_text_moves_the_cursor(text: str):
    shown = one_line(text)
    assert shown.isprintable() or not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)
    assert "\x1b" not in visible(text)
