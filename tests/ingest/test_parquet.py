from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_contract import bodies, check_batches, check_resume, drain, rows

from ingest import FilesSource, read_case
from telemetry import SourceError

NS = 1_767_225_605_123_456_789
TIME = datetime(2026, 1, 1, 0, 0, 5, 123456, tzinfo=UTC)


def write(path, columns, **options):
    pq.write_table(pa.table(columns), path, **options)
    return path


def logs(path, rows=1, **changes):
    columns = {
        "ts_ns": [NS + i * 1000 for i in range(rows)],
        "service": ["cart"] * rows,
        "pod": ["cart-6f6cfc45b-d9pnv"] * rows,
        "trace_id": ["ab"] * rows,
        "span_id": [""] * rows,
        "message": [f"00:00:05 INFO line {i}" for i in range(rows)],
    }
    return write(path, columns | changes, row_group_size=3000)


def spans(path, **changes):
    columns = {
        "TraceID": ["t", "t", "", "t"],
        "SpanID": ["s1", "s2", "s3", "s4"],
        "ParentID": ["root", "s1", "s1", "0000"],
        "PodName": ["ts-order-service-5b67c48447-fj8b7", "db-0", "x", "plain"],
        "OperationName": ["GET", "q", "q", "q"],
        "StartTimeUnixNano": [NS, NS, NS, -1],
        "EndTimeUnixNano": [NS + 2_000_000, NS + 1000, NS, NS],
        "Duration": [2000, 1, 0, 0],
    }
    return write(path, columns | changes)


def test_logs_have_the_time_of_their_column_and_keep_their_text(tmp_path):
    message = ["00:00:05 INFO a\nsecond line", '{"severity":"error","message":"inner","x":1}', "later", ""]
    path = logs(tmp_path / "logs.parquet", 4, message=message, ts_ns=[NS, NS, 2 * NS, NS])
    batches = drain(FilesSource([path], once=True))
    check_batches(batches)
    first, second, ahead = rows(batches, "lines")
    assert (first["time"], first["service"], first["body"], first["structured"]) == (TIME, "cart", message[0], False)
    assert (first["trace_id"], first["span_id"], first["line"]) == ("ab", None, None)
    assert dict(first["attributes"]) == {"pod": "cart-6f6cfc45b-d9pnv"}
    assert (second["time"], second["body"], second["severity_number"], second["structured"]) == (
        TIME,
        "inner",
        17,
        True,
    )
    assert dict(second["attributes"]) == {"x": "1", "pod": "cart-6f6cfc45b-d9pnv"}
    assert ahead["time"] > ahead["observed_time"] > first["observed_time"] == TIME
    assert rows(batches, "dead_letters") == []
    assert sum(b.filtered for b in batches) == 1


def test_resume_at_any_row(tmp_path, monkeypatch):
    monkeypatch.setattr("ingest._parquet._ROWS", 700)
    path = logs(tmp_path / "logs.parquet", 7000)
    check_resume(lambda: FilesSource([path], once=True))
    with_app = FilesSource([path], once=True)
    app = with_app.partitions()[0].app_id
    assert bodies(drain(with_app, {app: 6005}))[0] == "00:00:05 INFO line 6005"


def test_spans_take_their_service_from_the_pod(tmp_path):
    batches = drain(FilesSource([spans(tmp_path / "traces.parquet")], once=True))
    check_batches(batches)
    assert [(r["service"], r["duration_us"], r["parent_span_id"], r["time"]) for r in rows(batches, "spans")] == [
        ("ts-order-service", 2000, None, TIME),
        ("db", 1, "s1", TIME),
    ]
    assert [r["reason"] for r in rows(batches, "dead_letters")] == ["bad_span", "bad_time"]


@pytest.mark.parametrize("kind", [pa.timestamp("ns"), pa.timestamp("ms", "UTC"), pa.string()])
def test_times_of_any_type(tmp_path, kind):
    stamps = pa.array([NS // 1_000_000 * 1_000_000], pa.timestamp("ns"))
    if kind == pa.timestamp("ms", "UTC"):
        stamps = stamps.cast(pa.timestamp("ms")).cast(pa.int64()).cast(kind)
    path = write(tmp_path / "a.parquet", {"timestamp": stamps.cast(kind), "message": ["x"]})
    assert rows(drain(FilesSource([path], once=True)), "lines")[0]["time"] == TIME.replace(microsecond=123000)


def test_unknown_columns_are_listed(tmp_path):
    path = write(tmp_path / "a.parquet", {"a": [1], "b": [2]})
    source = FilesSource([path], once=True)
    assert drain(source) == []
    assert source.skipped == [(str(path), "Parquet columns are neither logs nor spans: a, b")]


def test_a_case_holds_metrics_logs_spans_and_calls_but_no_answer(tmp_path):
    (tmp_path / "metrics.csv").write_text("time,cart_cpu,phase\n1767225605,1,a\n1767225610,2,b\n")
    (tmp_path / "dependency.csv").write_text("Source,Target,Weight\nfront,cart,1\n")
    (tmp_path / "case.json").write_text("not even JSON")
    logs(tmp_path / "logs.parquet", 3)
    spans(tmp_path / "traces.parquet")
    case = read_case(tmp_path)
    assert (len(case.metrics), len(case.lines), len(case.spans)) == (2, 3, 2)
    assert case.calls == {("front", "cart"): 1.0}
    assert [name for name, _ in case.skipped] == ["column phase", "logs and spans"]
    alone = read_case(tmp_path / "metrics.csv")
    assert (len(alone.metrics), len(alone.lines), alone.calls) == (2, 0, {})


def test_a_case_without_metrics_is_one_line(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match=r"no metrics.csv or data.csv in this case; it holds notes.txt"):
        read_case(tmp_path)
    with pytest.raises(SourceError, match="no such case"):
        read_case(tmp_path / "none")
