"""Batches made in one call are what pyarrow would have made, and batches are read as pyarrow reads them."""

import gc
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsing._frames import ARROW, FILLED, GIVEN, LINE, ZEROS, Frame, Given, described
from telemetry import ATTRIBUTES, LINES, LOGS, TEMPLATES, TIME

texts = st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(["x" * 100, "\x1b[1m"])
numbers = st.integers(-(2**63), 2**63 - 1)
values: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): texts,
    pa.int8(): st.integers(-128, 127),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): numbers,
    TIME: numbers,
    pa.bool_(): st.booleans(),
    ATTRIBUTES: st.lists(st.tuples(texts, st.none() | texts), max_size=3),
}


@st.composite
def batches(draw: st.DrawFn, least: int = 1) -> pa.RecordBatch:
    """Rows of LINES, some of them cut off at both ends: places in bitmaps then begin anywhere."""
    rows = draw(st.integers(least, 30))
    columns = []
    for field in LINES:
        some = st.none() | values[field.type] if field.nullable else values[field.type]
        chosen = draw(st.sampled_from([some, values[field.type], st.none()] if field.nullable else [some]))
        column = draw(st.lists(chosen, min_size=rows, max_size=rows))
        columns.append(pa.array(column, pa.int64()).cast(TIME) if field.type == TIME else pa.array(column, field.type))
    begin = draw(st.integers(0, rows - least))
    return pa.RecordBatch.from_arrays(columns, schema=LINES).slice(begin, draw(st.integers(least, rows - begin)))


NOTHING, NO_PLACES = np.frombuffer(b"", np.uint8), np.zeros((1, 0), np.int64)


def copied(batch: pa.RecordBatch, rows: int) -> pa.RecordBatch:
    """The first rows of a batch, each column as it is."""
    sources, columns = np.zeros((len(LINES), 3), np.int64), [described(column) for column in batch.columns]
    sources[:, 0], sources[:, 1] = ARROW, [address for _, address in columns]
    return Frame(LINES).batch(rows, sources, 0, NO_PLACES, NOTHING, NOTHING, NO_PLACES, NO_PLACES)


@settings(deadline=None)  # the first call compiles
@given(batches(), st.data())
def test_arrays_are_taken_over_as_they_are(batch: pa.RecordBatch, data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, batch.num_rows))
    made = copied(batch, rows)
    made.validate(full=True)
    assert made.schema.equals(LINES, check_metadata=True)
    assert made.equals(batch.slice(0, rows))


def test_a_batch_does_not_need_what_it_was_made_of() -> None:
    rows = [{"body": f"line {i}", "attributes": [("a", str(i))], "offset": i} for i in range(100)]
    batch = pa.RecordBatch.from_pylist(rows, LINES)
    made, same = copied(batch, 100), batch.to_pylist()
    del batch
    gc.collect()
    pa.array(np.full(100_000, 7))  # something else lies where the batch lay
    assert made.to_pylist() == same


@settings(deadline=None)  # the first call compiles
@given(batches())
def test_a_batch_is_seen_as_it_is(batch: pa.RecordBatch) -> None:
    rows = Given.of(batch)
    names = batch["service"].to_pylist()
    assert [rows.lines.text(row) for row in range(len(rows))] == batch["body"].to_pylist()
    nulls = [column.null_count for column in batch.columns]
    assert [rows.has(place) for place in range(len(LINES))] == [count < len(rows) for count in nulls]
    assert [rows.lacks(place) for place in range(len(LINES))] == [count > 0 for count in nulls]
    assert rows.offsets.tolist() == batch["offset"].to_pylist()
    assert rows.observed.tolist() == batch["observed_time"].cast(pa.int64()).to_pylist()
    assert rows.structured.tolist() == batch["structured"].to_pylist()
    assert rows.mixed == any(batch["structured"].to_pylist())
    assert rows.escaped == any("\x1b" in body for body in batch["body"].to_pylist())
    assert rows.one_service == (len(set(names)) == 1)
    assert rows.service == (names[0] if rows.one_service else None)


def batch_of(rows: Given) -> pa.RecordBatch:
    """The columns of a batch looked at, each as it is."""
    sources = np.array([(LINE, place, 0) for place in range(len(LINES))])
    return Frame(LINES).batch(len(rows), sources, rows.columns, NO_PLACES, NOTHING, NOTHING, NO_PLACES, NO_PLACES)


@settings(deadline=None)  # the first call compiles
@given(batches(), batches(), batches(), st.data())
def test_the_rest_of_a_batch_is_put_before_the_next(
    one: pa.RecordBatch, two: pa.RecordBatch, three: pa.RecordBatch, data: st.DataObject
) -> None:
    expected, rows = one, Given.of(one)
    for batch in (two, three):  # what was joined is joined again
        first = data.draw(st.integers(0, len(rows) - 1))
        expected = pa.concat_batches([expected.slice(first), batch])
        rows = Given.joined(rows.after(first), batch)
        seen, made = Given.of(expected), batch_of(rows)
        made.validate(full=True)
        assert made.equals(expected)
        assert [rows.lines.text(row) for row in range(len(rows))] == expected["body"].to_pylist()
        assert rows.places[2:].tolist() == seen.places[2:].tolist()
        assert rows.structured.tolist() == seen.structured.tolist()
        for name in ("service", "one_service", "mixed", "escaped", "_filled", "_holed"):
            assert getattr(rows, name) == getattr(seen, name)
        if data.draw(st.booleans()):
            assert rows.batch.equals(expected)


def test_what_was_joined_does_not_need_its_parts() -> None:
    def batch(first: int) -> pa.RecordBatch:
        lines = [{"body": f"line {i}", "service": "web", "offset": i, "structured": False} for i in range(100)]
        return pa.RecordBatch.from_pylist(lines[first:], LINES)

    rest = Given.of(batch(0)).after(98)
    rows = Given.joined(rest, batch(50))
    expected = [f"line {i}" for i in (98, 99, *range(50, 100))]
    del rest
    gc.collect()
    pa.array(np.full(100_000, 7))  # something else lies where the batches lay
    assert batch_of(rows)["body"].to_pylist() == expected
    assert rows.batch["body"].to_pylist() == expected
    assert [rows.lines.text(row) for row in range(len(rows))] == expected


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.tuples(texts, st.lists(texts, max_size=3), st.integers(-128, 127), numbers), max_size=30))
def test_columns_of_numbers_places_and_lists(records: list[tuple[str, list[str], int, int]]) -> None:
    schema = pa.schema(
        [LOGS.field(name) for name in ("body", "component", "params", "severity_number", "time", "late")]
    )
    pieces = [text.encode() for body, params, _, _ in records for text in (body, *params)]
    ends = np.cumsum([0, *map(len, pieces)])[1:]
    begins = ends - np.array([len(piece) for piece in pieces], np.int64)
    at = np.cumsum([0, *(len(params) for _, params, _, _ in records)])
    whole = at[:-1] + np.arange(len(records))  # the pieces that are bodies; the others are parameters
    others = np.setdiff1d(np.arange(len(pieces)), whole)
    data = np.frombuffer(b"".join(pieces), np.uint8)
    sources = np.array([(GIVEN, 0, 1), (FILLED, 0, 1), (GIVEN, 0, 0), (FILLED, 0, 0), (GIVEN, 1, 0), (ZEROS, 0, 0)])
    small, large = ([record[k] for record in records] for k in (2, 3))
    places = begins[whole][np.newaxis], ends[whole][np.newaxis], (at, begins[others], ends[others])
    numbers = np.array([small, large], np.int64)
    made = Frame(schema).batch(len(records), sources, 0, numbers, data, data, *places)
    made.validate(full=True)
    expected = {
        "body": [body for body, _, _, _ in records],
        "component": [body or None for body, _, _, _ in records],
        "params": [params for _, params, _, _ in records],
        "severity_number": [number or None for number in small],
        "time": pa.array(large, pa.int64()).cast(TIME),
        "late": [False] * len(records),
    }
    assert made.equals(pa.RecordBatch.from_pydict(expected, schema=schema))


@pytest.mark.parametrize("schema", [LINES, LOGS, TEMPLATES])
def test_pyarrow_writes_a_batch_as_it_was_made(schema: pa.Schema) -> None:
    """The message is what the format says: written again by pyarrow, with its own description, it is the same."""
    sources = np.array([(ZEROS, 0, 0) if field.type == pa.bool_() else (GIVEN, 0, 0) for field in schema])
    nothing = [pa.nulls(2, field.type) for field in schema]
    empty = [described(column) for column in nothing]
    for place, field in enumerate(schema):
        if field.type == ATTRIBUTES:
            sources[place] = ARROW, empty[place][1], 0
    data, begins, ends = np.frombuffer(b"abc", np.uint8), np.array([[0, 1]]), np.array([[1, 3]])
    lists = np.array([0, 1, 1]), np.array([2]), np.array([3])
    made = Frame(schema).batch(2, sources, 0, np.array([[1, 2]]), data, data, begins, ends, lists)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as stream:
        stream.write_batch(made)
    assert pa.ipc.open_stream(sink.getvalue()).read_next_batch().equals(made)
    assert made.slice(1).to_pylist()[0][schema.names[-2]] == 2
