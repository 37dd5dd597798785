import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_contract import bodies, check_batches, drain, rows

from ingest import FilesSource
from ingest._text import split_column, split_lines

GOOD = '{"time": "2026-01-01T00:00:05Z", "level": "info", "message": "fine"}'


def read(tmp_path, data, name="app.jsonl", **options):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else "".join(line + "\n" for line in data).encode())
    batches = drain(FilesSource([path], once=True, **options))
    check_batches(batches)
    return batches


def letters(batches):
    return [(row["reason"], row["units"]) for row in rows(batches, "dead_letters")]


NESTED = '{"message": "x", "a": ' + '{"a":' * 100_000 + "1" + "}" * 100_001
LIST = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"time": "2026-01-01T00:00:05Z", "message": "cut of', "bad_json"),
        (NESTED, "too_deep"),
        (LIST, "too_deep"),
        ('{"message": "x", "a": ' + "[" * 70 + "]" * 70 + "}", "too_deep"),
        ('["a", "list"]', "bad_json"),
        ('{"time": -5, "message": "x"}', "bad_time"),
        ('{"time": 12, "message": "x"}', "bad_time"),
        ('{"time": 1e300, "message": "x"}', "bad_time"),
        ('{"time": NaN, "message": "x"}', "bad_time"),
        ('{"message": "' + "x" * 300_000 + '"}', "too_long"),
    ],
)
def test_bad_records_are_dead_letters_and_the_next_goes_on(tmp_path, line, reason):
    batches = read(tmp_path, [GOOD, line, GOOD])
    assert letters(batches) == [(reason, 1)]
    assert bodies(batches) == ["fine", "fine"]
    letter = rows(batches, "dead_letters")[0]
    assert letter["raw"] == line.encode()[: 64 * 1024]
    assert letter["offset"] == len(GOOD) + 1
    assert "\n" not in letter["detail"]


def test_a_clock_a_year_ahead_is_marked_in_metrics_and_spans_and_later_in_logs(tmp_path):
    far = (datetime.now(UTC) + timedelta(days=365)).isoformat()
    near = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    lines = [
        json.dumps({"time": far, "message": "x"}),
        json.dumps({"time": far, "service": "a", "metrics": {"cpu": 1, "mem": 2}}),
        json.dumps(span(time=far)),
        json.dumps({"time": near, "message": "clocks differ a little"}),
    ]
    batches = read(tmp_path, lines)
    assert letters(batches) == []
    assert bodies(batches) == ["x", "clocks differ a little"]
    points, [one] = rows(batches, "metrics"), rows(batches, "spans")
    for row in (*points, one):
        assert row["late"]
        assert row["time"] < datetime.now(UTC)
        assert dict(row["attributes"])["faultline.stated_time"] == far
    taken = read(tmp_path, lines, any_time=True)
    assert [row["late"] for row in rows(taken, "metrics") + rows(taken, "spans")] == [False] * 3


def test_bytes_that_are_no_text_are_kept_reversibly(tmp_path):
    raw = [b"caf\xe9 \\x41 \\", b"nul \x00 inside", b"\xff\xfe", b"plain \\ text", "é ok".encode()]
    found = rows(read(tmp_path, b"\n".join(raw), "app.log"), "lines")
    escaped = [bool(row["attributes"]) for row in found]
    assert escaped == [True, False, True, False, False]
    assert [
        restore(row["body"]) if mark else row["body"].encode() for row, mark in zip(found, escaped, strict=True)
    ] == raw


def restore(text):
    """Undo the escapes as documented: backslashes are doubled, a bad byte is \\xNN."""
    out, at = bytearray(), 0
    while at < len(text):
        if text[at] != "\\":
            out += text[at].encode()
            at += 1
        elif text[at + 1] == "\\":
            out += b"\\"
            at += 2
        else:
            out.append(int(text[at + 2 : at + 4], 16))
            at += 4
    return bytes(out)


@given(st.binary(max_size=60).filter(lambda b: not b.startswith(b"{") and not b.endswith(b"\r")))
def test_escapes_can_be_undone_for_any_bytes(line):
    line = line.replace(b"\n", b"")
    lines = split_lines(line)
    text = lines.text.to_pylist()
    if lines.notes:
        assert restore(text[0]) == line.rstrip(b"\r")
    else:
        assert text == [line.decode().rstrip("\r")]


def test_bad_bytes_inside_json_survive_its_decoding(tmp_path):
    line = b'{"level": "info", "message": "a\\\\b \\"q\\" \xe9"}'
    found = rows(read(tmp_path, line), "lines")[0]
    assert restore(found["body"]) == b'a\\b "q" \xe9'
    assert dict(found["attributes"]) == {"faultline.escaped": "bytes"}


def test_json_logs_of_common_loggers(tmp_path):
    lines = [
        {"@timestamp": "2026-01-01T00:00:05.123456789+01:00", "log.level": "WARN", "message": "ecs",
         "service.name": "cart", "trace.id": "ab12", "span.id": "cd34", "log.logger": "Cart", "user": {"id": 7}},
        {"time": 1767222005123, "level": 30, "msg": "pino", "name": "cart", "hostname": "h"},
        {"ts": 1767222005.5, "level": "error", "msg": "zap", "caller": "a.go:1"},
        {"timestamp": "2026-01-01 00:00:05,123", "levelname": "INFO", "message": "python", "logger": "app.db"},
        {"log": "docker\n", "stream": "stdout", "time": "2026-01-01T00:00:05Z"},
        {"severity_number": 17, "severity": "ERR!", "body": {"k": 1}, "resource": {"service.name": "pay"}},
        {"time": "12:00:01", "message": "no date"},
        {"event": "structlog", "a": None, "b": True},
    ]  # fmt: skip
    found = rows(read(tmp_path, [json.dumps(line) for line in lines], "shop.jsonl"), "lines")
    table = [(r["body"], r["service"], r["severity_number"], r["component"], r["time"]) for r in found]
    base = datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)
    ms = timedelta(milliseconds=123)
    assert table == [
        ("ecs", "cart", 13, "Cart", base.replace(microsecond=123456) - timedelta(hours=1)),
        ("pino", "shop", 9, "cart", datetime(2025, 12, 31, 23, 0, 5, tzinfo=UTC) + ms),
        ("zap", "shop", 17, "a.go:1", datetime(2025, 12, 31, 23, 0, 5, 500_000, tzinfo=UTC)),
        ("python", "shop", 9, "app.db", base + ms),
        ("docker", "shop", None, None, base),
        ('{"k":1}', "pay", 17, None, None),
        ("no date", "shop", None, None, None),
        ("structlog", "shop", None, None, None),
    ]
    assert all(r["structured"] for r in found)
    assert (found[0]["trace_id"], found[0]["span_id"]) == ("ab12", "cd34")
    assert dict(found[0]["attributes"]) == {"user.id": "7"}
    assert dict(found[7]["attributes"]) == {"b": "true"}


@pytest.mark.parametrize(
    ("line", "want"),
    [
        (
            {"Timestamp": "2026-01-01T00:00:05Z", "Level": "Warning", "SourceContext": "Shop.Auth",
             "MessageTemplate": "no", "RenderedMessage": "token refused",
             "TraceId": "4abd4bb4c9f5d02fea9feefafdab1777"},
            ("token refused", "Warning", 13, "Shop.Auth"),
        ),
        (
            {"Timestamp": "2026-01-01T00:00:05+00:00", "Level": "Error", "MessageTemplate": "{User} refused",
             "Properties": {"User": "x", "SourceContext": "Shop.Auth"}},
            ("{User} refused", "Error", 17, "Shop.Auth"),
        ),
        (
            {"@t": "2026-01-01T00:00:05Z", "@mt": "{N} of {M}", "@m": "1 of 2", "@l": "Fatal", "SourceContext": "A"},
            ("1 of 2", "Fatal", 21, "A"),
        ),
        ({"@t": "2026-01-01T00:00:05Z", "@mt": "started", "m": 3}, ("started", None, None, None)),
        (
            {"level": "info", "ts": 1767225605, "logger": "db", "caller": "a.go:1", "msg": "zap"},
            ("zap", "info", 9, "db"),
        ),
        ({"level": 50, "time": 1767225605000, "pid": 1, "hostname": "h", "msg": "pino"}, ("pino", "error", 17, None)),
        (
            {"name": "app", "level": 40, "msg": "bunyan", "time": "2026-01-01T00:00:05.000Z", "v": 0},
            ("bunyan", "warn", 13, "app"),
        ),
        ({"level": "warning", "msg": "logrus", "time": "2026-01-01T00:00:05Z"}, ("logrus", "warning", 13, None)),
        (
            {"instant": {"epochSecond": 1767225605, "nanoOfSecond": 0}, "thread": "main", "level": "INFO",
             "loggerName": "a.B", "message": "log4j2", "loggerFqcn": "x"},
            ("log4j2", "INFO", 9, "a.B"),
        ),
        (
            {"timeMillis": 1767225605000, "level": "ERROR", "loggerName": "a.B", "message": "layout"},
            ("layout", "ERROR", 17, "a.B"),
        ),
        (
            {"@timestamp": "2026-01-01T00:00:05Z", "log": {"level": "warn", "logger": "a.B"}, "message": "ecs"},
            ("ecs", "warn", 13, "a.B"),
        ),
        (
            {"version": "1.1", "host": "h", "short_message": "gelf", "timestamp": 1767225605.0, "level": 3, "_a": 1},
            ("gelf", "err", 17, None),
        ),
        (
            {"t": {"$date": "2026-01-01T00:00:05.000+00:00"}, "s": "W", "c": "STORAGE", "id": 22944, "ctx": "conn12",
             "msg": "mongodb", "attr": {"ms": 12}},
            ("mongodb", "W", 13, "STORAGE"),
        ),
        (
            {"severity": "NOTICE", "timestamp": {"seconds": 1767225605, "nanos": 0}, "message": "google"},
            ("google", "NOTICE", 10, None),
        ),
    ],
)  # fmt: skip
def test_the_fields_of_one_json_log_record(tmp_path, line, want):
    [row] = rows(read(tmp_path, [json.dumps(line)]), "lines")
    assert (row["body"], row["severity_text"], row["severity_number"], row["component"]) == want
    assert row["time"] == datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)


def test_raw_lines_stay_raw_between_json_and_the_other_way_round(tmp_path):
    trace = ["Traceback (most recent call last):", '  File "a.py"', '{"a": broken', "[main] done"]
    batches = read(tmp_path, [GOOD, *trace[:2], GOOD], "a.log")
    assert [(r["body"], r["structured"]) for r in rows(batches, "lines")] == [
        ("fine", True), (trace[0], False), (trace[1], False), ("fine", True),
    ]  # fmt: skip
    batches = read(tmp_path, ["starting up", *trace, '{"a": 1}', GOOD], "b.log")
    assert letters(batches) == []
    assert [r["structured"] for r in rows(batches, "lines")] == [False] * 6 + [True]


def test_metric_maps_and_single_points(tmp_path):
    lines = [
        '{"time":"2026-01-01T00:00:05Z","service":"cart","metrics":{"cpu":0.5,"mem":7,"gone":null}}',
        '{"time":"2026-01-01T00:00:05Z","service":"cart","metric":"lag","value":3,"attributes":{"topic":"x"},"host":"h1"}',
        '{"time":"2026-01-01T00:00:10Z","service":"cart","metrics":{"cpu":NaN,"mem":-Infinity,"up":"yes","ok":1e400,"n":1}}',
        '{"time":"2026-01-01T00:00:15Z","service":"cart","metrics":{}}',
        '{"time":"2026-01-01T00:00:15Z","service":"cart","metrics":[1]}',
        '{"time":-3,"service":"cart","metrics":{"cpu":1,"mem":2}}',
        "not json",
    ]
    batches = read(tmp_path, lines, "metrics.jsonl")
    assert [(r["service"], r["metric"], r["value"]) for r in rows(batches, "metrics")] == [
        ("cart", "cpu", 0.5), ("cart", "mem", 7.0), ("cart", "lag", 3.0), ("cart", "n", 1.0),
    ]  # fmt: skip
    assert dict(rows(batches, "metrics")[2]["attributes"]) == {"topic": "x", "host": "h1"}
    assert letters(batches) == [
        ("not_finite", 1), ("not_finite", 1), ("bad_value", 1), ("not_finite", 1), ("bad_metric", 1), ("bad_metric", 1),
        ("bad_time", 2), ("bad_json", 1),
    ]  # fmt: skip
    assert sum(b.filtered for b in batches) == 1
    assert sum(b.read for b in batches) == 4 + 1 + 9


def span(**fields):
    known = {
        "time": "2026-01-01T00:00:05.000001Z", "duration_us": 1500, "trace_id": "a" * 32, "span_id": "b" * 16,
        "parent_span_id": None, "service": "cart", "operation": "GET /", "status": "ok",
    }  # fmt: skip
    return known | fields


def test_spans(tmp_path):
    lines = [
        span(),
        span(status="STATUS_CODE_ERROR", parent_span_id="c" * 16, peer="db"),
        span(duration_us=-1),
        span(trace_id=""),
        span(time="soon"),
        {"traceId": "1f", "spanId": "2f", "parentSpanId": "0000000000000000", "name": "q",
         "startTimeUnixNano": "1767225605000000000", "endTimeUnixNano": "1767225605002000000", "status": {"code": 2}},
    ]  # fmt: skip
    batches = read(tmp_path, [json.dumps(line) for line in lines], "spans.jsonl")
    found = rows(batches, "spans")
    assert [(r["duration_us"], r["parent_span_id"], r["service"], r["operation"], r["status"]) for r in found] == [
        (1500, None, "cart", "GET /", "ok"),
        (1500, "c" * 16, "cart", "GET /", "error"),
        (2000, None, "unknown", "q", "error"),
    ]
    assert found[0]["time"] == datetime(2026, 1, 1, 0, 0, 5, 1, tzinfo=UTC)
    assert dict(found[1]["attributes"]) == {"peer": "db"}
    assert sorted(letters(batches)) == [("bad_span", 1), ("bad_time", 1), ("bad_value", 1)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
LOG_KEYS = ("time", "ts", "level", "severity_number", "message", "msg", "service", "attributes", "resource", "x")
DATA_KEYS = ("metrics", "metric", "value", "trace_id", "span_id", "parent_id", "operation", "name", "duration", "end")
names = st.sampled_from((*LOG_KEYS, *DATA_KEYS, "start", "status"))


@given(st.lists(st.dictionaries(names, json_values, max_size=8), min_size=1, max_size=5))
@settings(deadline=None)
def test_no_json_object_stops_a_batch(tmp_path_factory, records):
    batches = read(tmp_path_factory.mktemp("any"), [json.dumps(record) for record in records])
    assert sum(batch.read for batch in batches) >= len(records)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([b"a", b"\n", b"\r\n", "\u00fc".encode(), b"\xff", b"bc"])).map(b"".join), min_size=1
    )
)
def test_values_split_at_once_are_those_split_one_by_one(values):
    column = pa.array([b"before\n", *values], pa.binary())[1:]
    lines, counts = split_column(column)
    expected = [split_lines(value.removesuffix(b"\n")) for value in values]
    assert lines.text.to_pylist() == [text for one in expected for text in one.text.to_pylist()]
    assert (counts.tolist() if counts is not None else [1] * len(values)) == [len(one.text) for one in expected]
    assert list(lines.notes.values()) == [note for one in expected for note in one.notes.values()]
