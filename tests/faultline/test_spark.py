"""The example that parses a lake of logs in Spark: run as it stands in the guide, without Spark and with it."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from telemetry import LOGS

PAGE = Path(__file__).parents[2] / "docs" / "own-data.md"
LINES = [line for n in range(40) for line in (f"2026-01-05 08:00:{n:02d} INFO user {n} paid", "\tat a stack")]


def example() -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function of the page."""
    names: dict[str, Any] = {"__name__": "__main__"}
    code = next(block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S) if "def parse" in block)
    exec(compile(code, PAGE, "exec"), names)
    parse: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]] = names["parse"]
    return parse


def test_batches_of_lines_become_rows_of_logs() -> None:
    columns = {"value": LINES, "service": ["cart"] * 80, "source": ["cart.log"] * 80}
    batches = pa.table(columns).to_batches(max_chunksize=7)
    rows = pa.Table.from_batches(example()(iter(batches)), LOGS)
    assert rows["offset"].to_pylist() == list(range(0, 80, 2))
    assert set(rows["service"].to_pylist()) == {"cart"}
    assert len(set(rows["template_id"].to_pylist()[5:])) == 1


def test_spark_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyspark", reason="pyspark is not installed: `pip install pyspark` to try the example in Spark")
    from pyspark.sql import SparkSession
    from pyspark.sql.pandas.types import from_arrow_schema

    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        lines = spark.createDataFrame(
            [(line, "cart", "cart.log") for line in LINES], "value string, service string, source string"
        )
        rows = lines.coalesce(1).mapInArrow(example(), from_arrow_schema(LOGS)).collect()
    finally:
        spark.stop()
    assert sorted(row.offset for row in rows) == list(range(0, 80, 2))
