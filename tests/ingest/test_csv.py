import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_contract import check_batches, check_resume, drain, rows

from ingest import FilesSource, _csv, read_graph, read_matrix, read_metrics_csv, read_normal
from telemetry import SourceError

WIDE = """time,cart_cpu_usage,cart|p99|Max,phase,up,node_x|latency
1767225605,0.5,1e3,normal,1,7
1767225610,,NaN,fault,0,8
1767225615,inf,oops,fault,1,
1767225620,1,2,fault
1767225625,1,2,fault,1,9
-4,1,2,fault,1,9

1767225630,3,4,x,0,1
"""


def points(table):
    return [(r["time"].timestamp(), r["service"], r["metric"], r["value"]) for r in table]


def test_a_wide_table_in_the_run_source(tmp_path):
    path = tmp_path / "shop.csv"
    path.write_text(WIDE)
    batches = drain(FilesSource([path], once=True))
    check_batches(batches)
    first, second = 1_767_225_605, 1_767_225_610
    assert points(rows(batches, "metrics"))[:6] == [
        (first, "cart", "cpu_usage", 0.5),
        (first, "cart", "p99|Max", 1000.0),
        (first, "shop", "up", 1.0),
        (first, "node_x", "latency", 7.0),
        (second, "shop", "up", 0.0),
        (second, "node_x", "latency", 8.0),
    ]
    letters = [(r["offset"], r["reason"], r["units"]) for r in rows(batches, "dead_letters")]
    assert letters == [(2, "bad_value", 1), (2, "not_finite", 1), (3, "bad_row", 1), (5, "bad_time", 4)]
    assert sum(b.filtered for b in batches) == 3 + 4  # empty cells; those of the blank line
    assert batches[-1].next == 8
    check_resume(lambda: FilesSource([path], once=True))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cells=st.lists(
        st.lists(st.sampled_from(["", "1", "2.5", "nan", "x", "1e9", " 3 "]), min_size=3, max_size=3), max_size=30
    ),
    step=st.integers(1, 7),
)
def test_any_batch_size_gives_the_same_points(tmp_path, monkeypatch, cells, step):
    path = tmp_path / "t.csv"
    path.write_text("time,a_x,a_y,b_z\n" + "".join(f"{1767225605 + i},{','.join(c)}\n" for i, c in enumerate(cells)))
    whole = drain(FilesSource([path], once=True))
    with monkeypatch.context() as patch:
        patch.setattr("ingest._readers.MAX_LINES", 3 * step)
        parts = drain(FilesSource([path], once=True))
        check_resume(lambda: FilesSource([path], once=True))
    assert rows(parts, "metrics") == rows(whole, "metrics")
    assert sum(b.read for b in parts) == sum(b.read for b in whole)


def test_a_growing_table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("timestamp,value\n2026-01-01 00:00:00,1\n")
    source = FilesSource([path])
    source.seek({})
    assert points(rows(source.poll(0, {}), "metrics")) == [(1767225600, "t", "value", 1.0)]
    with path.open("a") as file:
        file.write("2026-01-01 00:05:00,2\n2026-01-01 00:1")
    assert [p[3] for p in points(rows(source.poll(0, {}), "metrics"))] == [2.0]
    source.close()


def test_matrix_keeps_times_as_written_and_the_order_of_rows(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("timestamp,a,name\n2026-01-01 00:05:00,1,x\n2026-01-01 00:00:00,,y\n2026-01-01 00:05:00,3,z\n")
    matrix = read_matrix(path)
    assert matrix.times == ["2026-01-01 00:05:00", "2026-01-01 00:00:00", "2026-01-01 00:05:00"]
    assert matrix.series == ["a"]
    assert matrix.values[0, 0] == 1
    assert math.isnan(matrix.values[1, 0])
    assert matrix.time_us.tolist() == [1767225900000000, 1767225600000000, 1767225900000000]
    assert matrix.ignored == [("name", "not numeric")]
    assert not matrix.relative
    metrics = read_metrics_csv(path, service="s")
    assert metrics["value"].to_pylist() == [1.0, 3.0]


def test_small_numbers_are_relative_seconds_and_flagged(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("time,a_cpu\n0,1\n5,2\n")
    matrix = read_matrix(path)
    assert matrix.relative
    assert matrix.time_us.tolist() == [0, 5_000_000]


def test_several_header_rows(tmp_path):
    path = tmp_path / "x.noissue.csv"
    path.write_text(
        "microservice,A_x,B\nmetric,latency,latency\nstatistic,Average,p99\nunix_timestamp,,\n1693922400.0,0.5,\n1693922700.0,,2\n"
    )
    assert points(read_normal(path).to_pylist()) == [
        (1693922400, "A_x", "latency|Average", 0.5),
        (1693922700, "B", "latency|p99", 2.0),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("a,b\n1,2\n", "no time column: want `time` or `timestamp`, found a, b"),
        ("time,x\n1767225605,word\n", "no numeric column beside 'time'"),
        ("time,a_x\n", "no rows below the header"),
        ("time,a_x\nsoon,1\n", "line 2: time 'soon' cannot be read"),
        ("time,a_x\n1767225605,1\n,2\n", "line 3: time '' cannot be read"),
        ("time,a_x\n1767225605,1\n1767225606,word\n", "line 3: a_x is 'word', want a number"),
        ("time,a_x\n1767225605,1,2\n", "line 2 has not 2 cells"),
    ],
)
def test_what_is_wrong_with_a_table_is_one_line(tmp_path, text, message):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(SourceError) as error:
        read_matrix(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_a_missing_table_is_one_line(tmp_path):
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        read_matrix(tmp_path / "none.csv")


@pytest.mark.parametrize(
    "text",
    [
        "time;a_x;b_y\r\n1767225605;1;2\r\n",
        "\ufefftime\ta_x\tb_y\n1767225605\t1\t2\n",
        'time,"a_x",b_y\n1767225605,"1",2',
    ],
)
def test_delimiters_quotes_and_byte_order_mark(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    assert read_matrix(path).values.tolist() == [[1, 2]]
    assert [p[1:] for p in points(rows(drain(FilesSource([path], once=True)), "metrics"))] == [
        ("a", "x", 1),
        ("b", "y", 2),
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a_b_c", ("a", "b_c")),
        ("a_b|c|d", ("a_b", "c|d")),
        ("cpu", (None, "cpu")),
        ("_x", (None, "_x")),
        ("x_", (None, "x_")),
    ],
)
def test_column_names(name, expected):
    assert _csv.split_name(name, None) == expected


def test_graphs(tmp_path):
    edges, square = tmp_path / "dependency.csv", tmp_path / "g.csv"
    edges.write_text("Source,Target,Weight\na,b,1\nb,c,2.5\nc,a,0\n")
    assert read_graph(edges) == {("a", "b"): 1.0, ("b", "c"): 2.5}
    edges.write_text("caller,callee\na,b\n")
    assert read_graph(edges) == {("a", "b"): 1.0}
    square.write_text(",a,b\na,0,1\nb,0.0,\n")
    assert read_graph(square) == {("a", "b"): 1.0}
    square.write_text("nothing\n")
    with pytest.raises(SourceError, match="not a call graph"):
        read_graph(square)


def test_times_are_utc(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text("time,a_x\n2026-01-01T01:00:00+01:00,1\n")
    assert read_metrics_csv(path)["time"][0].as_py() == datetime(2026, 1, 1, tzinfo=UTC)
    assert read_matrix(path).values.dtype == np.float64
