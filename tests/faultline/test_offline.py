"""The commands that read files and write results: parse, detect, rca."""

import csv
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.case import evidence_of, parse_time
from faultline.cli import _main
from ingest import Case, read_case
from parsing import PARSED_LINES, ParserSettings
from telemetry import LINES, METRICS, SPANS, TIME, UsageError, parse_id

LOG = """\
2026-01-05 08:00:00,001 INFO shop.Cart - started 1

2026-01-05 08:00:01,001 ERROR shop.Cart - failed
Traceback
  at x
2026-01-05 08:00:02,001 INFO shop.Cart - started 2
"""


def call(capsys, *arguments: object) -> tuple[int, str, str]:
    code = _main.run([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


# -- parse ------------------------------------------------------------------------------------------------------------


def parse(capsys, tmp_path: Path, text: str | bytes, suffix: str = ".parquet", name: str = "cart.log", *more: object):
    file, out = tmp_path / name, tmp_path / f"out{suffix}"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    code, shown, err = call(capsys, "parse", file, "-o", out, *more)
    assert code == 0, err
    return out, shown


def test_parse_gives_one_row_a_line_and_continuations_their_records_template(capsys, tmp_path):
    out, _ = parse(capsys, tmp_path, LOG)
    table = pq.read_table(out)
    assert table.schema.names == PARSED_LINES.names
    assert table["line"].to_pylist() == [1, 2, 3, 4, 5, 6]
    assert table["record"].to_pylist() == [1, 1, 3, 3, 3, 6]
    assert table["message"][1].as_py() == ""
    assert table["severity_text"].to_pylist() == ["INFO", "INFO", "ERROR", "ERROR", "ERROR", "INFO"]
    ids = table["template_id"].to_pylist()
    assert (ids[0], ids[3]) == (ids[5], ids[2])
    assert set(table["service"].to_pylist()) == {"cart"}
    assert table["time"].cast(pa.int64())[5].as_py() == parse_time("2026-01-05T08:00:02.001Z")


def test_parse_writes_ids_as_hex_where_people_read_them(capsys, tmp_path):
    ids = pq.read_table(parse(capsys, tmp_path, LOG)[0])["template_id"].to_pylist()
    with parse(capsys, tmp_path, LOG, ".csv")[0].open(newline="") as file:
        assert [parse_id(row["template_id"]) for row in csv.DictReader(file)] == ids
    lines = parse(capsys, tmp_path, LOG, ".jsonl")[0].read_text().splitlines()
    assert [parse_id(json.loads(line)["template_id"]) for line in lines] == ids


@pytest.mark.parametrize(
    "text", [b"\xff\xfe odd\nnext\n", b"a\0b\n", b"x" * 300_000 + b"\nshort\n", b"no newline at end"]
)
def test_parse_takes_any_bytes(capsys, tmp_path, text):
    out, _ = parse(capsys, tmp_path, text)
    assert len(pq.read_table(out)) == text.rstrip(b"\n").count(b"\n") + 1


def test_parse_keeps_lines_that_only_begin_like_json(capsys, tmp_path):
    text = '{"time":"2026-01-05T08:00:00Z","message":"one","level":"info"}\n{"message": broken\n{"message":"three"}\n'
    table = pq.read_table(parse(capsys, tmp_path, text)[0])
    assert table["line"].to_pylist() == [1, 2, 3]
    assert table["message"][0].as_py().startswith("one")


def test_parse_message_format_takes_every_line_as_a_message(capsys, tmp_path):
    out, _ = parse(capsys, tmp_path, LOG, ".parquet", "cart.log", "--format", "message", "--service", "web")
    table = pq.read_table(out)
    assert table["message"][2].as_py() == LOG.splitlines()[2]
    assert set(table["service"].to_pylist()) == {"web"}


def test_parse_explains_formats_and_the_year_it_assumed(capsys, tmp_path):
    text = "".join(f"Jan  5 08:00:0{n} host sshd[1]: started {n}\n" for n in range(5))
    out, shown = parse(capsys, tmp_path, text, ".parquet", "sys.log", "--year", 2020, "--explain")
    assert "the year set, 2020" in shown
    assert str(pq.read_table(out)["time"][0].as_py().year) == "2020"


def test_parse_reads_several_files_packed_or_not_into_one_result(capsys, tmp_path):
    (tmp_path / "cart.log.1.gz").write_bytes(gzip.compress(LOG.encode()))
    (tmp_path / "pay.log").write_bytes(b"\xef\xbb\xbf" + LOG.replace("\n", "\r\n").encode())
    (tmp_path / "web.log").write_bytes(LOG.encode("utf-16"))
    out = tmp_path / "out.parquet"
    names = [tmp_path / name for name in ("cart.log.1.gz", "pay.log", "web.log")]
    code, _, err = call(capsys, "parse", *names, "-o", out)
    assert code == 0, err
    table = pq.read_table(out)
    assert table["line"].to_pylist() == [1, 2, 3, 4, 5, 6] * 3
    assert table["service"].to_pylist() == ["cart"] * 6 + ["pay"] * 6 + ["web"] * 6
    assert table["message"][:6] == table["message"][6:12] == table["message"][12:]
    assert table["time"][:6] == table["time"][6:12] == table["time"][12:]


def test_parse_reads_standard_input(capsys, tmp_path, monkeypatch):
    with (tmp_path / "x").open("w+b") as file:
        file.write(LOG.encode())
        file.seek(0)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(file))
        code, _, err = call(capsys, "parse", "-", "-o", tmp_path / "out.csv")
    assert (code, err) == (0, "-: 6 lines, 2 templates\n")
    with (tmp_path / "out.csv").open(newline="") as result:
        assert [row["service"] for row in csv.DictReader(result)] == ["unknown"] * 6


def test_parse_says_which_lines_are_not_whole(capsys, tmp_path):
    """10 MB of one token, and of 2.8 million tokens: cut, counted, and the next line goes on."""
    file = tmp_path / "cart.log"
    file.write_bytes(b"x" * 10_000_000 + b"\n" + b"ab " * 2_800_000 + b"\n\xff\0 ok\nlast\n")
    code, _, err = call(capsys, "parse", file, "-o", tmp_path / "out.parquet")
    assert (code, err) == (0, f"{file}: 4 lines, 4 templates, 2 cut at 256 KiB, 1 with bytes that are not UTF-8\n")
    messages = pq.read_table(tmp_path / "out.parquet")["message"].to_pylist()
    assert [len(message) for message in messages] == [262_144, 262_144, 8, 4]
    assert messages[2:] == ["\\xff\0 ok", "last"]


def test_parse_names_a_broken_archive(capsys, tmp_path):
    file = tmp_path / "cart.log.gz"
    file.write_bytes(gzip.compress(LOG.encode() * 10_000)[:-200])
    code, _, err = call(capsys, "parse", file, "-o", tmp_path / "out.csv")
    assert (code, err.count("\n")) == (1, 1)
    assert "gzip data is broken or cut off" in err


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("metrics.jsonl", '{"time":"2026-01-05T08:00:00Z","service":"a","metrics":{"cpu":1}}\n', "want a text file"),
        ("empty.log", "", "empty"),
        ("blank.log", "\n\n", "blank"),
    ],
)
def test_parse_says_what_it_cannot_parse(capsys, tmp_path, name, text, part):
    (tmp_path / name).write_text(text)
    code, _, err = call(capsys, "parse", tmp_path / name, "-o", tmp_path / "out.csv")
    assert (code, err.count("\n")) == (1, 1)
    assert part in err
    assert not (tmp_path / "out.csv").exists()


# -- detect -----------------------------------------------------------------------------------------------------------


def test_detect_scores_every_cell_in_order_and_finds_the_jump(capsys, tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal(10, 1, (300, 2))
    values[250:255, 1] = 80
    rows = [f"{t * 10},{a},{'' if t == 5 else b}" for t, (a, b) in enumerate(values.tolist())]
    (tmp_path / "m.csv").write_text("\n".join(["time,cart_cpu,web_cpu", *rows]))
    code, _, err = call(capsys, "detect", tmp_path / "m.csv", "-o", tmp_path / "scores.csv")
    assert code == 0, err
    with (tmp_path / "scores.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == ["series", "time", "score", "threshold", "anomaly"]
    assert [row["time"] for row in found[:4]] == ["0", "0", "10", "10"]
    assert [row["series"] for row in found[:2]] == ["cart_cpu", "web_cpu"]
    assert found[11]["score"] == ""
    anomalous = {(row["series"], int(row["time"])) for row in found if row["anomaly"] == "1"}
    assert ("web_cpu", 2500) in anomalous
    assert all(
        row["anomaly"] == str(int(float(row["score"]) >= float(row["threshold"]))) for row in found if row["score"]
    )


def test_detect_never_looks_ahead(capsys, tmp_path):
    rows = [f"{t},{np.sin(t) + (t == 90) * 50}" for t in range(120)]
    scores = []
    for length in (95, 120):
        (tmp_path / "m.csv").write_text("\n".join(["timestamp,value", *rows[:length]]))
        assert call(capsys, "detect", tmp_path / "m.csv", "-o", tmp_path / "s.csv")[0] == 0
        scores.append((tmp_path / "s.csv").read_text().splitlines())
    assert scores[1][: len(scores[0])] == scores[0]


# -- rca --------------------------------------------------------------------------------------------------------------

T0 = 1_767_600_000  # 2026-01-05T08:00:00Z


def write_case(folder: Path, seconds: int = 1500, jump: int = 1200) -> Path:
    """The database's cpu jumps, and the latency of the service that calls it follows."""
    rng = np.random.default_rng(1)
    lines = ["time,db_cpu,web_latency,cache_cpu"]
    for t in range(0, seconds, 5):
        bad = t >= jump
        row = rng.normal([0.2 + 0.7 * bad, 20 + 60 * (t >= jump + 10), 0.1], [0.02, 1, 0.01])
        lines.append(f"{T0 + t},{','.join(map(str, row))}")
    folder.mkdir()
    (folder / "metrics.csv").write_text("\n".join(lines))
    (folder / "dependency.csv").write_text("caller,callee\nweb,db\nweb,cache\n")
    (folder / "case.json").write_text('{"root_cause_service": "nobody"}')
    return folder


def test_rca_ranks_the_culprit_first_and_writes_the_contract(capsys, tmp_path):
    case = write_case(tmp_path / "case")
    code, out, err = call(capsys, "rca", case, "--at", T0 + 1200, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert set(found) == {"suspects", "verdict", "confidence", "onset", "method", "seconds"}
    assert found["suspects"][0]["service"] == "db"
    keys = {"rank", "service", "signal", "score", "role", "share", "evidence", "path"}
    assert set(found["suspects"][0]) == keys
    assert found["onset"] == "2026-01-05T08:20:00Z"
    plain = call(capsys, "rca", case, "--at", "2026-01-05T08:20:00")[1]
    assert "1\tdb\t" in plain


def test_rca_uses_nothing_after_until(capsys, tmp_path):
    def ranking(case: Path) -> object:
        found = json.loads(call(capsys, "rca", case, "--at", T0 + 1200, "--until", T0 + 1300, "--json")[1])
        return found | {"seconds": None}

    one, other = write_case(tmp_path / "a"), write_case(tmp_path / "b")
    lines = (other / "metrics.csv").read_text().splitlines()
    changed = [line if int(line.split(",")[0]) <= T0 + 1300 else f"{line.split(',')[0]},9,9,9" for line in lines[1:]]
    (other / "metrics.csv").write_text("\n".join([lines[0], *changed]))
    assert ranking(one) == ranking(other)


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["nowhere"], 1, "nowhere"),
        (["case", "--method", "magic"], 2, "magic"),
        (["case", "--at", "yesterday"], 2, "'yesterday' is no time"),
        (["case", "--graph", "nowhere.csv"], 1, "nowhere.csv"),
    ],
)
def test_rca_says_what_is_wrong(capsys, tmp_path, monkeypatch, arguments, code, part):
    write_case(tmp_path / "case", 100, 50)
    monkeypatch.chdir(tmp_path)
    found, _, err = call(capsys, "rca", *arguments)
    assert (found, err.count("\n")) == (code, 1)
    assert part in err


def test_without_until_the_evidence_ends_after_five_minutes_or_five_rows(tmp_path):
    case = read_case(write_case(tmp_path / "case"))
    settings = ParserSettings()
    assert evidence_of(case, settings, at=(T0 + 600) * 10**6).until == (T0 + 900) * 10**6
    coarse = case.metrics.filter(
        pa.array([t % 600 == 0 for t in (case.metrics["time"].cast(pa.int64()).to_numpy() // 10**6 - T0)])
    )
    assert evidence_of(Case("c", coarse), settings, at=(T0 + 600) * 10**6).until == (T0 + 1200) * 10**6


def test_logs_and_spans_of_a_case_are_counted_in_windows_that_begin_at_the_onset():
    at = (T0 + 3) * 10**6
    logs = _rows(LINES, [(at - 1, "a 1"), (at, "a 2"), (at + 9_999_999, "a 3")])
    span = {"duration_us": 5, "trace_id": "t", "service": "db", "operation": "get", "status": "ok", "late": False}
    parent = span | {"time": at, "span_id": "1", "service": "web", "duration_us": 10}
    child = span | {"time": at + 1, "span_id": "2", "parent_span_id": "1"}
    spans = pa.Table.from_pylist([row | {"source": "s", "partition": 0, "offset": 0} for row in (parent, child)], SPANS)
    evidence = evidence_of(Case("c", METRICS.empty_table(), logs, spans), ParserSettings(), at=at, until=at + 10**8)
    counts = dict(
        zip(evidence.logs["time"].cast(pa.int64()).to_pylist(), evidence.logs["count"].to_pylist(), strict=True)
    )
    assert counts == {at - 10_000_000: 1, at: 2}
    assert evidence.calls == {("web", "db"): 1.0}
    assert set(evidence.templates.values()) == {"a 3"}


def _rows(schema: pa.Schema, rows: list[tuple[int, str]]) -> pa.Table:
    base = {"service": "a", "source": "s", "partition": 0, "structured": True}
    found = [base | {"body": body, "offset": n} for n, (_, body) in enumerate(rows)]
    times = pa.array([time for time, _ in rows]).cast(pa.timestamp("us")).cast(TIME)
    table = pa.Table.from_pylist(found, schema)
    for name in ("time", "observed_time"):
        table = table.set_column(schema.get_field_index(name), schema.field(name), times)
    return table


@given(st.integers(10**8, 4 * 10**9))
def test_times_are_read_by_their_magnitude(seconds: int):
    us = seconds * 10**6
    assert [parse_time(str(seconds * scale)) for scale in (1, 10**3, 10**6, 10**9)] == [us] * 4


def test_times_without_a_zone_are_utc():
    assert parse_time("2026-01-05T08:00:00") == parse_time("2026-01-05T10:00:00+02:00") == T0 * 10**6
    for wrong in ("", "noon", "nan", "1e30"):
        with pytest.raises(UsageError):
            parse_time(wrong)
