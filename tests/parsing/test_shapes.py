"""Lines cut by the shape of another line say what they say when they are read by themselves."""

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsing._columns import Spans
from parsing._shapes import Shape, shape_of
from parsing._structured import read_structured
from telemetry import Parsed

KEYS = ("msg", "level", "time", "ts", "a.b", "caller", "n", "x-y", "@t")
TEXTS = st.one_of(st.text(max_size=5), st.text("ab0=\\\"' \t\x0b\x1c{},:é\u00a0", max_size=5))
ODD = [
    "-0",
    "007",
    "1e3",
    "1.50",
    "0.00001",
    "-1.5",
    "12345678901234567890",
    "null",
    "NaN",
    "01.5",
    "1767600000.123",
    '""',
]
VALUES = st.one_of(
    TEXTS.map(json.dumps), TEXTS.map(lambda text: json.dumps(text, ensure_ascii=False)), st.sampled_from(ODD)
)
JSON_TYPES = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none())


@st.composite
def some_lines(draw: st.DrawFn) -> list[str]:
    """Draw lines that have the same keys, more or less."""
    keys = ["msg", *draw(st.lists(st.sampled_from(KEYS), min_size=2, max_size=5))]
    as_json, lines = draw(st.booleans()), []
    for _ in range(draw(st.integers(1, 6))):
        values = [draw(st.one_of(VALUES, JSON_TYPES.map(json.dumps))) for _ in keys]
        if as_json:
            gap = draw(st.sampled_from(["", " ", "\t", "\f"]))
            line = "{" + ",".join(f'"{key}":{gap}{value}' for key, value in zip(keys, values, strict=True)) + gap + "}"
        else:
            pairs = [
                f"{key}={value if draw(st.booleans()) else value.strip(chr(34))}"
                for key, value in zip(keys, values, strict=True)
            ]
            line = draw(st.sampled_from([" ", "  ", "\x0b"])).join(pairs) + draw(st.sampled_from(["", " "]))
        if draw(st.booleans()):
            place = draw(st.integers(0, len(line)))
            line = line[:place] + draw(st.text(max_size=1)) + line[place + draw(st.integers(0, 1)) :]
        lines.append(line)
    return lines


def shape_at_last(line: str) -> Shape | None:
    return [shape_of(line) for _ in range(3)][-1]


def check(lines: list[str]) -> int:
    """Check all lines that fit the shape of the first; return how many do."""
    shape = shape_at_last(lines[0])
    if shape is None:
        return 0
    column = Spans.of(pa.array(lines))
    fit, begins, ends = shape.cut(column)
    for row in fit.tolist():
        values = [
            column.data[low:high].tobytes().decode() for low, high in zip(begins[:, row], ends[:, row], strict=True)
        ]
        fields: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for key, field, value in zip(shape.keys, shape.fields, values, strict=True):
            (extra if field is None else fields)[key if field is None else field] = value
        assert (fields, extra) == read_structured(lines[row])
    return len(fit)


@settings(deadline=None, max_examples=600)
@given(some_lines())
def test_what_fits_a_shape_is_read_as_ever(lines: list[str]) -> None:
    check(lines)


@pytest.mark.parametrize(
    "line",
    [
        '{"level":"info","ts":1767600000.123,"caller":"a.go:1","msg":"x y","n":-12,"ok":true,"d":0.25}',
        '{ "level" : "info" , "msg" : "x" }',
        'time="2026-01-05T08:00:00Z" level=info msg="added 3" dur=12ms',
    ],
)
def test_usual_lines_fit_their_shape(line: str) -> None:
    assert check([line] * 3) == 3


@pytest.mark.parametrize(
    "line", ['{"msg":"a","msg":"b"}', "msg=a msg=b level=c", '{"a":1}', "level=a msg=b", "plain words", "{", "[1]"]
)
def test_lines_without_a_shape(line: str) -> None:
    shape = shape_at_last(line)
    assert shape is None or not len(shape.cut(Spans.of(pa.array([line])))[0])


def test_batches_and_single_lines_give_the_same_records(run: Callable[..., list[Parsed]]) -> None:
    lines = []
    for i in range(30):
        lines += [
            f'{{"level":"info","time":"2026-01-05T08:00:{i:02d}Z","msg":"added {i} items","n":{i},"dur":0.{i + 1}}}',
            f'time=2026-01-05T08:00:{i:02d}Z level=warn msg="late by {i} s" host=web-{i % 3} note="a \\" b"',
            f"2026-01-05 08:00:{i:02d} INFO shop.cart: plain {i}",
            f'{{"level":"error","msg":"odd \\n {i}","n":null}}',
        ]
    found = [[row for part in run(lines, size) for row in part.logs.to_pylist()] for size in (1, 120)]
    assert found[0] == found[1]
    assert found[1][4]["body"] == "added 1 items"
    assert dict(found[1][4]["attributes"]) == {"n": "1", "dur": "0.2"}
