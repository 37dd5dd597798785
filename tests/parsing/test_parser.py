from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parsing_texts import fill, same_but_blanks

from parsing import Parser, ParserSettings
from parsing._settings import ENGINES
from telemetry import LINEAGE, LINES, LOGS, TEMPLATES, CorruptState, Parsed, template_id

HEADER = "2026-01-05 10:11:12,345 INFO [main] shop.Cart: "


def logs(parts: list[Parsed]) -> list[dict[str, Any]]:
    return [row for part in parts for row in part.logs.to_pylist()]


def folded(parts: list[Parsed]) -> dict[tuple[int, str], tuple[Any, ...]]:
    out: dict[tuple[int, str], tuple[Any, ...]] = {}
    for row in (row for part in parts for row in part.templates.to_pylist()):
        key = row["template_id"], row["service"]
        mine = (row["template"], row["first_seen"], row["last_seen"], row["count"])
        old = out.get(key)
        out[key] = mine if old is None else (old[0], min(old[1], mine[1]), max(old[2], mine[2]), old[3] + mine[3])
    return out


def rules(parts: list[Parsed]) -> list[dict[str, Any]]:
    return [row for part in parts for row in part.lineage.to_pylist()]


def texts(parts: list[Parsed]) -> dict[int, str]:
    return {key[0]: value[0] for key, value in folded(parts).items()}


Run = Callable[..., list[Parsed]]
MakeLines = Callable[..., tuple[pa.Table, int]]
messages = st.sampled_from(
    [
        "added item 12 to cart",
        "added item 7 to cart",
        "user anna logged in from 10.0.0.1",
        "user bert logged in from 10.0.0.2",
        "user carl logged out",
        "cache  miss",
        "cache hit",
        "",
        "payment of 3.50 EUR failed: card_declined",
        "payment of 9 USD failed: timeout",
    ]
)
raw_lines = st.one_of(
    messages.map(lambda text: HEADER + text),
    messages.map(lambda text: "Jan  5 10:11:13 host app[12]: " + text),
    st.sampled_from(["\tat shop.Cart.add(Cart.java:12)", "Caused by: java.io.IOException: no", "no header here", " x"]),
    st.sampled_from(['{"level":"warn","msg":"low disk 3","ts":"2026-01-05T10:00:00Z","free":1}', "ünïcode ☃ 5"]),
    st.text(max_size=12).filter(lambda text: "\n" not in text),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(raw_lines, max_size=60), st.sampled_from([1, 2, 7, 25]))
def test_the_result_does_not_depend_on_batches(run: Run, bodies: list[str], size: int) -> None:
    whole, cut = run(bodies, 1000), run(bodies, size)
    assert logs(cut) == logs(whole)
    assert folded(cut) == folded(whole)
    assert rules(cut) == rules(whole)
    assert sum(part.joined for part in whole) + len(logs(whole)) == len(bodies)


envelopes = st.fixed_dictionaries(
    {
        "body": raw_lines,
        "service": st.sampled_from(["shop", "till", "store", None]),
        "component": st.sampled_from([None, None, "cart"]),
        "severity_text": st.sampled_from([None, None, "warn", "own"]),
        "severity_number": st.sampled_from([None, None, 17]),
        "time": st.sampled_from([None, None, datetime(2026, 2, 1, tzinfo=UTC)]),
        "attributes": st.sampled_from([None, None, [("pod", "a-1")], []]),
        "structured": st.sampled_from([False, False, False, True]),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(envelopes, min_size=4, max_size=40), st.sampled_from([1, 2, 7]), st.sampled_from(["auto", "message"]))
def test_what_the_envelope_states_does_not_depend_on_batches(
    run: Run, lines: list[dict[str, Any]], size: int, form: str
) -> None:
    chosen = ParserSettings(format=form, max_services=2)
    columns = {name: [line[name] for line in lines] for name in lines[0]}
    bodies = columns.pop("body")
    whole, cut = Parser(chosen), Parser(chosen)
    first, second = run(bodies, 1000, whole, **columns), run(bodies, size, cut, **columns)
    for part in (*first, *second):
        for table in (part.logs, part.templates, part.lineage):
            table.validate(full=True)
    assert logs(second) == logs(first)
    assert folded(second) == folded(first)
    assert (cut.refused, cut.snapshot()) == (whole.refused, whole.snapshot())
    assert [row["service"] for row in logs(first)].count("__other__") == whole.refused


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(raw_lines, max_size=60))
def test_params_restore_the_body_up_to_blanks(run: Run, bodies: list[str]) -> None:
    parts = run(bodies, 20)
    known = texts(parts)
    for row in logs(parts):
        assert same_but_blanks(fill(known[row["template_id"]], row["params"]), row["body"])
        assert template_id(known[row["template_id"]]) == row["template_id"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(raw_lines, min_size=2, max_size=50), st.data())
def test_a_killed_run_equals_an_unkilled_one(make_lines: MakeLines, bodies: list[str], data: st.DataObject) -> None:
    """After a restart the source begins again at `Parsed.next`, with the snapshot taken there."""
    table, end = make_lines(bodies)
    cut = data.draw(st.integers(1, len(bodies) - 1))
    first = Parser()
    part = first.process(table.slice(0, cut), table["offset"][cut].as_py())
    position = table["offset"].to_pylist().index(part.next)
    second = Parser.restore(first.snapshot())
    rest = second.process(table.slice(position), end, final=True)
    unkilled = first.process(table.slice(cut), end, final=True)
    assert rest.logs.to_pylist() == unkilled.logs.to_pylist()
    assert rest.lineage.to_pylist() == unkilled.lineage.to_pylist()
    assert rest.templates.to_pylist() == unkilled.templates.to_pylist()
    assert second.snapshot() == first.snapshot()


def test_schemas(run: Run) -> None:
    parts = run([HEADER + "added item 1", "\tat x", HEADER + "removed it"], 1)
    for part in parts:
        assert part.logs.schema == LOGS
        assert part.templates.schema == TEMPLATES
        assert part.lineage.schema == LINEAGE


def test_header_fields(run: Run) -> None:
    [row] = logs(run([HEADER + "added item 12"], 10))
    assert row["time"].isoformat() == "2026-01-05T10:11:12.345000+00:00"
    assert (row["severity_text"], row["severity_number"]) == ("INFO", 9)
    assert (row["component"], row["body"], row["params"]) == ("shop.Cart", "added item 12", ["12"])
    assert dict(row["attributes"]) == {"thread.name": "main"}


def test_continuation_lines_join_the_record_before_them(run: Run) -> None:
    trace = ["java.lang.Error: no", "\tat a.B.c(B.java:1)", "Caused by: d.E", "\t... 3 more"]
    parts = run([HEADER + "failed", *trace, HEADER + "next"], 2)
    assert [row["body"] for row in logs(parts)] == ["\n".join(["failed", *trace]), "next"]
    assert sum(part.joined for part in parts) == 4


def test_blank_continuation_lines_do_not_change_the_template(run: Run) -> None:
    plain, blank = logs(run([HEADER + "took 5 ms"], 1)), logs(run([HEADER + "took 5 ms", "", "  "], 1))
    assert blank[0]["template_id"] == plain[0]["template_id"]
    assert blank[0]["params"] == ["5"]


def test_an_unfinished_record_is_held_back(make_lines: MakeLines) -> None:
    table, end = make_lines([HEADER + "one", HEADER + "two", "\tat x"])
    parser = Parser()
    part = parser.process(table, end)
    assert (part.logs["body"].to_pylist(), part.next) == (["one"], table["offset"][1].as_py())
    late = parser.release()
    assert (late.logs["body"].to_pylist(), late.next, late.joined) == (["two\n\tat x"], end, 1)
    assert parser.release().logs.num_rows == 0


def test_long_records_are_cut(run: Run) -> None:
    parts = run([HEADER + "one", *["\tat x"] * 1200], 100)
    assert [row["body"].count("\n") + 1 for row in logs(parts)] == [500, 500, 201]
    assert {row["time"] for row in logs(parts)} == {logs(parts)[0]["time"]}


def test_a_message_of_several_lines_closes_with_the_message(make_lines: MakeLines) -> None:
    bodies = [HEADER + "a", "\tat x", HEADER + "b", "\tat y", HEADER + "c"]
    table, end = make_lines(bodies, offsets=[4, 4, 5, 5, 5])
    part = Parser().process(table, end)
    assert part.logs["body"].to_pylist() == ["a\n\tat x", "b\n\tat y", "c"]
    assert part.next == end


def test_structured_records_are_whole_and_their_bodies_may_have_headers(run: Run) -> None:
    bodies = ["10:11:12.500 WARN  a.c.Cart#7 TraceID: 245e8714006693a315ec183d215130b5 low", "\tat x", "plain"]
    rows = logs(run(bodies, 10, structured=True))
    assert [row["body"] for row in rows] == ["low", "\tat x", "plain"]
    assert (rows[0]["severity_text"], rows[0]["component"]) == ("WARN", "a.c.Cart#7")
    assert rows[0]["trace_id"] == "245e8714006693a315ec183d215130b5"


@pytest.mark.parametrize("size", [1, 4])
def test_structured_rows_do_not_make_a_stream_forget_its_headers(make_lines: MakeLines, size: int) -> None:
    table, end = make_lines([HEADER + "one", "whole", "no header", "nor here"])
    at = LINES.get_field_index("structured")
    table = table.set_column(at, LINES.field(at), pa.array([False, True, False, False]))
    parser = Parser()
    parts = [parser.process(table.slice(row, size), end, row + size >= 4) for row in range(0, 4, size)]
    assert [row["body"] for row in logs(parts)] == ["one", "whole", "no header\nnor here"]


def test_json_and_logfmt_lines(run: Run) -> None:
    rows = logs(
        run(
            [
                '{"timestamp":"2026-01-05T10:00:00.5Z","level":"error","message":"no 5","service":"pay","user":"x"}',
                'ts=2026-01-05T10:00:01Z level=info msg="took 5 ms" path=/a',
                '{"broken": ',
            ],
            10,
            service=None,
        )
    )
    assert [row["body"] for row in rows] == ["no 5", 'took 5 ms\n{"broken": ']
    assert rows[0]["service"] == "pay"
    assert rows[0]["severity_number"] == 17
    assert dict(rows[0]["attributes"]) == {"user": "x"}
    assert rows[1]["time"].isoformat() == "2026-01-05T10:00:01+00:00"
    assert rows[1]["service"] == "unknown"


def test_severity_of_a_syslog_priority(run: Run) -> None:
    [row] = logs(run(["<11>Jan  5 10:11:12 host app: no"], 1))
    assert (row["severity_number"], row["severity_text"], row["component"]) == (17, None, "app")


def test_what_the_envelope_states_wins(run: Run) -> None:
    [row] = logs(run([HEADER + "x"], 10, severity_text=["FATAL"], severity_number=[21], component=["outer"]))
    assert (row["severity_text"], row["severity_number"], row["component"]) == ("FATAL", 21, "outer")


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("2026-01-05 08:00:00 UTC [9] LOG:  checkpoint starting", 9),
        ("2026-01-05 08:00:00 UTC [9] a@b FATAL:  the end", 21),
        ("2026-01-05 08:00:00 UTC [9] a@b DETAIL:  key exists", None),
        ("1:M 05 Jan 2026 08:00:00.000 # out of memory", 13),
        ("1:S 05 Jan 2026 08:00:00.000 . ping", 5),
        ('10.0.0.1 - - [05/Jan/2026:08:00:00 +0000] "GET / HTTP/1.1" 503 12', None),
    ],
)
def test_severity_numbers_of_own_words_and_marks(run: Run, line: str, number: int | None) -> None:
    [row] = logs(run([line], 1))
    assert (row["severity_number"], row["time"]) == (number, datetime(2026, 1, 5, 8, tzinfo=UTC))


@pytest.mark.parametrize("size", [1, 10])
def test_a_format_learnt_later_in_a_batch_leaves_the_rows_before_it_alone(run: Run, size: int) -> None:
    bodies = ["10:11:12 the clock alone", HEADER + "one", "10:11:13 the clock alone"]
    rows = logs(run(bodies, size))
    assert [f"{row['time']:%H:%M:%S} {row['body']}" for row in rows] == [bodies[0], "10:11:12 one", bodies[2]]


def test_an_unreadable_clock_takes_the_time_of_the_record_before(run: Run) -> None:
    rows = logs(run([HEADER + "a", HEADER.replace("10:11", "25:77") + "b", HEADER + "c"], 1))
    assert [row["body"] for row in rows] == ["a", "b", "c"]
    assert len({row["time"] for row in rows}) == 1
    assert [("faultline.time", "inherited") in row["attributes"] for row in rows] == [False, True, False]


def test_an_assumed_year_is_flagged_unless_the_envelope_states_the_time(run: Run) -> None:
    line, when = "Jan  5 10:11:12 host app: x", datetime(2026, 1, 2, tzinfo=UTC)
    assert ("faultline.year", "assumed") in logs(run([line], 1))[0]["attributes"]
    [row] = logs(run([line], 1, time=[when]))
    assert (row["time"], row["attributes"]) == (when, [("host.name", "host")])


def test_message_format_takes_lines_as_they_are(run: Run) -> None:
    parts = run([HEADER + "a", "\tat x"], 1, Parser(ParserSettings(format="message")))
    assert [row["body"] for row in logs(parts)] == [HEADER + "a", "\tat x"]


def test_a_pattern_from_the_user(run: Run) -> None:
    parser = Parser(ParserSettings(format="<component>/<level> at <date> <time>: <message>"))
    rows = logs(run(["cart/ERROR at 2026-01-05 10:00:00: no", "  more"], 1, parser))
    assert [(row["component"], row["severity_text"], row["body"]) for row in rows] == [("cart", "ERROR", "no\n  more")]
    assert rows[0]["time"].isoformat() == "2026-01-05T10:00:00+00:00"


def test_overflow(run: Run) -> None:
    words = ["alpha", "beta", "gamma", "delta", "epsilon"]
    parser = Parser(ParserSettings(format="message", max_clusters=3))
    parts = run([f"{word} {word} {word}" for word in words], 2, parser)
    ids = [row["template_id"] for row in logs(parts)]
    assert ids[3] == ids[4] == template_id("<*>")
    assert parser.overflowing == ["shop"]
    assert logs(parts)[4]["params"] == ["epsilon epsilon epsilon"]


def test_forgotten_shapes_are_found_again(run: Run) -> None:
    bodies = [f"{a}{b} went {a} way" for a in "abcdef" for b in "uvwxyz"] * 3
    small = run(bodies, 10, Parser(ParserSettings(format="message", max_fingerprints=4)))
    large = run(bodies, 10, Parser(ParserSettings(format="message")))
    assert [row["template_id"] for row in logs(small)][-30:] == [row["template_id"] for row in logs(large)][-30:]
    assert folded(run(bodies, 1, Parser(ParserSettings(format="message", max_fingerprints=4)))) == folded(small)


@pytest.mark.parametrize(
    "pattern", ["the query '{}' was slow", 'drop table "{}" done', "read key list:{} again", "a b=c d={} e"]
)
def test_two_values_are_enough_where_values_stand(run: Run, pattern: str) -> None:
    parts = run([pattern.format(word) for word in ("tent", "lamp")], 1, Parser(ParserSettings(format="message")))
    assert texts(parts)[logs(parts)[1]["template_id"]] == pattern.format("<*>")


def test_masks_are_always_parameters(run: Run) -> None:
    settings = ParserSettings(format="message", masks=(r"user=\w+",))
    rows = logs(run(["login user=anna ok"], 1, Parser(settings)))
    assert rows[0]["params"] == ["user=anna"]


def test_services_have_their_own_formats_and_lines_do_not_join_across_them(run: Run) -> None:
    bodies = [HEADER + "a", "\tat x", "no header in this service"]
    rows = logs(run(bodies, 1, service=["one", "two", "two"]))
    assert [(row["service"], row["body"]) for row in rows] == [
        ("one", "a"),
        ("two", "\tat x"),
        ("two", "no header in this service"),
    ]


def test_hostile_lines_pass(run: Run) -> None:
    bodies = ["\x00", "x" * 300_000, "{" * 5000, "<*> <*>", "a " * 3000, "\u2028\x85\xa0", "%s{}"]
    rows = logs(run(bodies, 3, Parser(ParserSettings(format="message"))))
    assert [row["body"] for row in rows] == bodies


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", orjson.dumps({"version": 99, "streams": {}})])
def test_foreign_snapshots_are_refused(payload: bytes) -> None:
    with pytest.raises(CorruptState):
        Parser.restore(payload)


def test_fingerprints_made_in_another_way_are_learnt_again(run: Run, make_lines: MakeLines) -> None:
    bodies = [f"user {name} bought {count} items" for name in ("anna", "bert", "carl") for count in (1, 22)]
    first = Parser(ParserSettings(format="message"))
    before = logs(run(bodies, 3, first) and run(bodies, 3, first))
    saved = orjson.loads(first.snapshot())
    saved["streams"]["shop"]["miner"] |= {"fingerprints": 1, "keys": [5], "clusters": [1], "used": [0]}
    second = Parser.restore(orjson.dumps(saved), first.settings)
    again = run(bodies, 3, second)
    assert [row["template_id"] for row in logs(again)] == [row["template_id"] for row in before]
    assert rules(again) == []
    assert orjson.loads(second.snapshot())["streams"]["shop"]["miner"]["keys"] != [5]


def test_nothing_in_nothing_out(make_lines: MakeLines) -> None:
    part = Parser().process(make_lines([])[0], 0, final=True)
    assert (part.logs.num_rows, part.templates.num_rows, part.lineage.num_rows) == (0, 0, 0)
    assert (part.logs.schema, part.templates.schema, part.lineage.schema) == (LOGS, TEMPLATES, LINEAGE)


@pytest.mark.parametrize("engine", ENGINES)
def test_each_engine_generalises_with_lineage_and_survives_a_restart(
    run: Run, make_lines: MakeLines, engine: str
) -> None:
    names = ["anna", "bert", "carl", "dora", "emil", "fred", "gert", "hans"]
    bodies = [f"the item of {name} went to the basket" for name in names]
    chosen = ParserSettings(format="message", engine=engine)
    whole = run(bodies, 8, Parser(chosen))
    last = logs(whole)[-1]
    assert texts(whole)[last["template_id"]] == "the item of <*> went to the basket"
    final = {rule["from_id"]: rule for rule in rules(whole)}
    for row, name in zip(logs(whole), names, strict=True):
        rule = final.get(row["template_id"])
        if rule is not None:
            assert rule["to_id"] == last["template_id"]
            assert rule["recipe"] == [[{"text": name, "param": None}]]
    table, end = make_lines(bodies)
    first = Parser(chosen)
    first.process(table.slice(0, 4), table["offset"][4].as_py())
    second = Parser.restore(first.snapshot(), chosen)
    assert second.process(table.slice(4), end, final=True).logs.to_pylist() == logs(whole)[4:]


def test_structured_data_of_syslog_goes_into_the_attributes(run: Run) -> None:
    data = r'[ex@1 user="bob \"x\" \\ \]" n="3"][empty][x@2 n="4"]'
    lines = [f"<165>1 2026-01-05T22:14:15Z h app 7 ID47 {data} hello", "<165>1 2026-01-05T22:14:16Z - - - - - hello"]
    [first, second] = [row for part in run(lines, 1) for row in part.logs.to_pylist()]
    assert dict(first["attributes"]) == {
        "process.pid": "7", "host.name": "h", "ex@1.user": r'bob "x" \ ]', "ex@1.n": "3", "x@2.n": "4",
    }  # fmt: skip
    assert (second["component"], second["attributes"], second["body"]) == (None, None, "hello")


@pytest.mark.parametrize("size", [1, 2])
def test_colours_of_a_terminal_are_no_part_of_a_line(run: Run, size: int) -> None:
    lines = [
        "\x1b[2m2026-01-05T08:00:00Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2mmy_app::server\x1b[0m\x1b[2m:\x1b[0m on 80",
        "2026-01-05T08:00:01Z  INFO my_app::server: on 81",
    ]
    found = [row for part in run(lines, size) for row in part.logs.to_pylist()]
    assert [(row["severity_text"], row["component"], row["body"]) for row in found] == [
        ("INFO", "my_app::server", "on 80"),
        ("INFO", "my_app::server", "on 81"),
    ]


def test_hostile_structured_data_takes_linear_time(run: Run) -> None:
    data = "[a" + ' b="' * 40_000 + "\\" * 40_000
    [row] = [row for part in run([f"<1>1 2026-01-05T22:14:15Z h a - - {data} x"], 1) for row in part.logs.to_pylist()]
    assert data[-100:] in row["body"]
