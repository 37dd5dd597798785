"""Header fields of whole files, whichever of their lines comes first and however they are cut into batches."""

import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from header_files import ANY, FILES, TIMES, Line
from header_lines import CASES
from hypothesis import given, settings
from hypothesis import strategies as st

from parsing import Parser
from parsing._header_time import time_column
from parsing._lines import parse_lines
from parsing._sniff import sniff
from telemetry import Parsed

MakeLines = Callable[..., tuple[pa.Table, int]]
INHERENT = {
    # a line that says no more than its words do, before others have shown what they mean
    *("alert, epoch, date, node, syslog", "level-lower-bare", "mssql", "python-bracketed", "python-level-colon"),
    "syslog-variants",
}


def read(make_lines: MakeLines, lines: list[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parse_lines([make_lines(lines)[0]], Parser()).to_pylist()
    return rows


def check(rows: list[dict[str, Any]], want: list[Line]) -> None:
    for row, (line, time, level, component, message) in zip(rows, want, strict=True):
        found = (row["severity_text"], row["component"], row["message"])
        wanted = (level, component, message)
        assert [one for one, other in zip(found, wanted, strict=True) if other is not ANY] == [
            one for one in wanted if one is not ANY
        ], line
        assert time is ANY or row["time"].replace(tzinfo=None) == datetime.fromisoformat(time), line


@pytest.mark.parametrize("name", FILES)
def test_fields(make_lines: MakeLines, name: str) -> None:
    check(read(make_lines, [line for line, *_ in FILES[name]]), FILES[name])


@pytest.mark.parametrize("name", [name for name in FILES if name not in INHERENT])
def test_any_line_may_come_first(make_lines: MakeLines, name: str) -> None:
    for first in range(1, len(FILES[name])):
        turned = FILES[name][first:] + FILES[name][:first]
        check(read(make_lines, [line for line, *_ in turned]), turned)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("form", ["{} {} cart: added 3", "[{}] {} cart: added 3"])
def test_times_in_front_of_a_level(make_lines: MakeLines, time: str, form: str) -> None:
    lines = [form.format(time, level) for level in ("INFO", "WARN")]
    check(
        read(make_lines, lines),
        [(line, TIMES[time], level, "cart", "added 3") for line, level in zip(lines, ("INFO", "WARN"), strict=True)],
    )


@pytest.mark.parametrize("time", TIMES)
def test_times_in_front_of_a_message(make_lines: MakeLines, time: str) -> None:
    lines = [f"{time} added 3 items to it", f"{time} Slow query"]
    check(read(make_lines, lines), [(line, TIMES[time], None, None, line[len(time) + 1 :]) for line in lines])


SENTENCES = [
    "Receiving part 16 src: /10.0.0.1:5 dest: /10.0.0.2:5", "134 requests handled since 1700000000 by node-3",
    "5 of 7 workers are up", "user 1700000001 logged in", "job job-5 started at 1700000002 on node-1",
    "Connection to 10.0.0.1:80 closed after 12:00:00", "task_7 finished 1700000003 ok then",
]  # fmt: skip


@pytest.mark.parametrize(
    "lines",
    [
        SENTENCES,
        [f"flush {i} took until 17000000{i:02d} on disk-{i % 3} ok" for i in range(30)],
        [f"{i} packets to node-{i % 3} sent by 17000000{i:02d} on disk ok" for i in range(30)],
    ],
)
def test_sentences_that_begin_with_numbers_or_mention_times_stay_whole(make_lines: MakeLines, lines: list[str]) -> None:
    check(read(make_lines, lines), [(line, ANY, None, None, line) for line in lines])


COLUMNS = [f"web fe-{i % 3} {'up' if i % 2 else 'down'} 17676000{i:02d} went {i} times" for i in range(40)]


@pytest.mark.parametrize("size", [1, 3, 40])
@pytest.mark.parametrize("kill", [0, 5, 8, 9])
def test_columns_are_told_by_the_first_lines_whatever_the_batches(make_lines: MakeLines, size: int, kill: int) -> None:
    """A line that is held back, or read again after a restart, counts once."""
    table, end = make_lines(COLUMNS)
    parser, found, at = Parser(), [], 0
    while at < len(COLUMNS):
        stop = min(at + size, len(COLUMNS))
        stop = kill if at < kill < stop else stop
        next = end if stop == len(COLUMNS) else table["offset"][stop].as_py()
        part: Parsed = parser.process(table.slice(at, stop - at), next, final=stop == len(COLUMNS))
        found += part.logs.to_pylist()
        if stop == kill:
            parser, kill = Parser.restore(parser.snapshot()), 0
            stop = table["offset"].to_pylist().index(part.next)
        at = stop
    assert [row["component"] for row in found] == [None] * 7 + ["web"] * 33
    assert [row["body"] for row in found] == [
        line if i < 7 else line.split(" ", 4)[4] for i, line in enumerate(COLUMNS)
    ]


def test_days_come_first_once_one_can_be_no_month(make_lines: MakeLines) -> None:
    lines = ["05/02/2026 08:00:00 x", "13/02/2026 08:00:00 x", "05/03/2026 08:00:00 x"]
    days = [(row["time"].month, row["time"].day) for row in read(make_lines, lines)]
    assert days == [(5, 2), (2, 13), (3, 5)]


LINES = [line for line, _ in CASES.values()] + [line for lines in FILES.values() for line, *_ in lines]


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(LINES), st.lists(st.tuples(st.integers(0, 80), st.text(max_size=3)), max_size=4), st.integers(0, 4)
)
def test_no_line_is_too_odd(line: str, edits: list[tuple[int, str]], column: int) -> None:
    for place, text in edits:
        line = line[:place] + text + line[place + 1 :]
    found = sniff(line)
    assert found is None or found.pattern.endswith("<message>")
    assert -1 <= time_column(line) <= 8


@pytest.mark.parametrize("seed", range(8))
def test_files_in_one_stream_are_read_alike_in_any_batches(run: Callable[..., list[Parsed]], seed: int) -> None:
    draw = random.Random(seed)
    known = [line for name in draw.sample(sorted(FILES), 3) for line, *_ in FILES[name]]
    other = ["  at x.y(Z.java:1)", "plain words here", "2026-02-28 08:00:00 INFO x", "Error: foo bar"]
    lines = [draw.choice(known if draw.random() < 0.8 else other) for _ in range(150)]
    found = [[row for part in run(lines, size) for row in part.logs.to_pylist()] for size in (1, 7, 150)]
    assert found[0] == found[1] == found[2]
