"""Frozen: match what was learnt, learn nothing; what fits nothing is counted as `<*>`."""

from collections.abc import Callable

import pytest

from parsing import Parser, ParserSettings
from parsing._settings import ENGINES
from telemetry import Parsed, template_id

Run = Callable[..., list[Parsed]]
OVERFLOW = template_id("<*>")


def ids(parts: list[Parsed]) -> list[int]:
    return [one for part in parts for one in part.logs["template_id"].to_pylist()]


def learnt(run: Run, engine: str) -> tuple[Parser, list[int]]:
    parser = Parser(ParserSettings(format="message", engine=engine))
    return parser, ids(run(["cart of ann took 5 ms", "the box is shut", "what a day it was"], 1, parser))


@pytest.mark.parametrize("engine", ENGINES)
def test_known_messages_keep_their_templates_and_others_overflow(run: Run, engine: str) -> None:
    parser, before = learnt(run, engine)
    frozen = Parser.restore(parser.snapshot(), ParserSettings(format="message", engine=engine, frozen=True))
    bodies = ["cart of ann took 77 ms", "the box is shut", "no such thing was seen", "cart of bob was lost"]
    parts = run(bodies, 2, frozen)
    assert ids(parts)[:2] == before[:2]
    assert ids(parts)[2:] == [OVERFLOW] * 2
    assert parts[1].logs["params"].to_pylist() == [[bodies[2]], [bodies[3]]]
    assert all(part.lineage.num_rows == 0 for part in parts)
    assert frozen.overflowing == ["shop"]
    counted = [row for part in parts for row in part.templates.to_pylist() if row["template"] == "<*>"]
    assert sum(row["count"] for row in counted) == 2


def test_an_unknown_record_of_several_lines_is_one_overflow(run: Run) -> None:
    parts = run(
        ["2026-01-05 10:11:12,345 INFO [main] a: b", "\tat c.D", "Caused by: e"], 9, Parser(ParserSettings(frozen=True))
    )
    assert ids(parts) == [OVERFLOW]
    [body] = [body for part in parts for body in part.logs["body"].to_pylist()]
    assert [params for part in parts for params in part.logs["params"].to_pylist()] == [[body]]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_turned_away_is_learnt_once_it_may_be(run: Run, engine: str) -> None:
    parser, before = learnt(run, engine)
    frozen = Parser.restore(parser.snapshot(), ParserSettings(format="message", engine=engine, frozen=True))
    assert ids(run(["no such thing was seen"], 1, frozen)) == [OVERFLOW]
    free = Parser.restore(frozen.snapshot(), ParserSettings(format="message", engine=engine))
    again = ids(run(["no such thing was seen", "the box is shut"], 1, free))
    assert again == [template_id("no such thing was seen"), before[1]]
    assert free.overflowing == []


def test_a_frozen_parser_that_restarts_goes_on_as_it_was(run: Run) -> None:
    parser, _ = learnt(run, "skeleton")
    settings = ParserSettings(format="message", frozen=True)
    frozen = Parser.restore(parser.snapshot(), settings)
    run(["no such thing was seen"], 1, frozen)
    again = Parser.restore(frozen.snapshot(), settings)
    assert again.snapshot() == frozen.snapshot()
    assert ids(run(["what a day it was", "what is this"], 1, again))[1] == OVERFLOW
