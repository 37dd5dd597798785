"""What an input without end cannot do: grow the parser without end, or make the result depend on how it was cut."""

import logging
import random
from collections import Counter
from collections.abc import Callable, Sequence

import pyarrow as pa
import pytest

from parsing import Parser, ParserSettings
from parsing._masks import tokenise
from parsing._skeleton import _MOST_BESIDE, SkeletonEngine
from telemetry import Parsed, template_id

MakeLines = Callable[..., tuple[pa.Table, int]]
Run = Callable[..., list[Parsed]]
MESSAGE = ParserSettings(format="message")


def words(rng: random.Random, count: int) -> list[str]:
    return ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(count)]


# -- services ---------------------------------------------------------------------------------------------------------


def test_services_beyond_the_limit_are_one(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    settings = ParserSettings(format="message", max_services=2)
    names = ["cart", "pay", "cart", "web", "pay", "geo", "web"]
    with caplog.at_level(logging.WARNING, "faultline.parsing"):
        parser = Parser(settings)
        parts = run([f"item {n} sold" for n in range(7)], 3, parser, service=names)
    rows = [row for part in parts for row in part.logs.to_pylist()]
    assert [row["service"] for row in rows] == ["cart", "pay", "cart", "__other__", "pay", "__other__", "__other__"]
    assert [row["attributes"] for row in rows][3:6] == [
        [("faultline.service", "web")],
        None,
        [("faultline.service", "geo")],
    ]
    assert len({row["template_id"] for row in rows}) == 1
    counts: Counter[str] = Counter()
    for part in parts:
        for row in part.templates.to_pylist():
            counts[row["service"]] += row["count"]
    assert counts == {"cart": 2, "pay": 2, "__other__": 3}
    assert parser.refused == 3
    assert len(parser.streams) == 3
    assert len(caplog.records) == 1
    assert "max_services, 2 services" in caplog.text


def test_services_named_by_the_lines_are_limited_too(run: Run) -> None:
    bodies = [f'{{"level":"info","msg":"sold","service":"s{n}","n":"{n}"}}' for n in range(4)]
    rows = [
        row
        for part in run(bodies, 4, Parser(ParserSettings(max_services=2)), service=None)
        for row in part.logs.to_pylist()
    ]
    assert [row["service"] for row in rows] == ["s0", "s1", "__other__", "__other__"]
    assert dict(rows[3]["attributes"]) == {"n": "3", "faultline.service": "s3"}


@pytest.mark.parametrize("size", [2, 7, 1000])
def test_which_services_are_told_apart_depends_on_their_order_alone(make_lines: MakeLines, size: int) -> None:
    rng = random.Random(3)
    settings = ParserSettings(max_services=5)
    bodies = [f"2026-01-05 10:11:{n % 60:02} INFO done {n}" for n in range(300)]
    table, end = make_lines(bodies, service=[f"s{rng.randrange(12)}" for _ in bodies])
    whole = Parser(settings).process(table, end, final=True).logs
    found, at, parser = [], 0, Parser(settings)
    while at < table.num_rows:
        stop = min(at + size, table.num_rows)
        next = table["offset"][stop].as_py() if stop < table.num_rows else end
        part = parser.process(table.slice(at, stop - at), next, final=stop == table.num_rows)
        found += part.logs.to_pylist()
        at = table["offset"].to_pylist().index(part.next) if part.next < end else table.num_rows
        parser = Parser.restore(parser.snapshot(), settings)
    assert found == whole.to_pylist()


def test_many_services_in_one_batch(make_lines: MakeLines) -> None:
    count = 20_000
    table, end = make_lines(["item sold"] * count, service=[f"s{n}" for n in range(count)])
    parser = Parser(ParserSettings(max_services=100))
    part = parser.process(table, end, final=True)
    assert part.logs.num_rows == count
    assert part.templates.num_rows == 101
    assert parser.refused == count - 100


# -- templates --------------------------------------------------------------------------------------------------------


def test_templates_beyond_the_limit_are_one_and_it_is_told_once(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    rng = random.Random(4)
    bodies = [" ".join(words(rng, 6)) for _ in range(60)]
    with caplog.at_level(logging.WARNING, "faultline.parsing"):
        parser = Parser(ParserSettings(format="message", max_clusters=20))
        ids = [one for part in run(bodies, 10, parser) for one in part.logs["template_id"].to_pylist()]
    assert len(set(ids[:20])) == 20
    assert set(ids[20:]) == {template_id("<*>")}
    assert parser.overflowing == ["shop"]
    assert [record.getMessage() for record in caplog.records] == [
        "service 'shop' has reached max_clusters, 20 templates: further kinds of messages are of the template <*>"
    ]


@pytest.mark.parametrize("pattern", ["{}", "{} started", "{} {} now", "{}={}", "the {} {} of it", "{} {} {} {} {} {}"])
def test_what_a_message_is_compared_with_does_not_grow(pattern: str) -> None:
    """Not the time, which no test can state, but what it is spent on: the clusters that lie beside a new one."""
    rng = random.Random(5)
    engine = SkeletonEngine(10_000)
    for _ in range(1_000):
        list(engine.learn([tokenise(pattern.format(*words(rng, pattern.count("{}"))))]))
    beside = [len(clusters) for shape in engine._shapes.values() for clusters in shape.beside.values()]
    assert max(beside, default=0) <= _MOST_BESIDE


def after_lineage(parts: Sequence[Parsed]) -> Counter[int]:
    """Return records by the template that lineage leads theirs to, as readers count them."""
    leads: dict[int, int] = {}
    counts: Counter[int] = Counter()
    for part in parts:
        leads |= {rule["from_id"]: rule["to_id"] for rule in part.lineage.to_pylist()}
        for row in part.templates.to_pylist():
            counts[row["template_id"]] += row["count"]
    final: Counter[int] = Counter()
    for one, count in counts.items():
        seen = {one}
        while (one := leads.get(one, one)) not in seen:
            seen.add(one)
        final[one] += count
    return final


def corpus(count: int) -> list[str]:
    """Return lines of a few services' kinds: values of many and of few kinds, stack traces, words without structure."""
    rng = random.Random(6)
    names, verbs = words(rng, 40), ["added", "removed", "sold"]
    lines = []
    for n in range(count):
        time, level = f"2026-01-05 10:{n // 60 % 60:02}:{n % 60:02}", rng.choice(["INFO", "WARN"])
        head = f"{time} {level} [main] shop.{rng.choice(['Cart', 'Pay'])}: "
        kind = rng.randrange(6)
        if kind == 0:
            lines.append(f"{head}user {rng.choice(names)} {rng.choice(verbs)} {rng.randrange(99)} items")
        elif kind == 1:
            lines.append(f"{head}{rng.choice(names)} started")
        elif kind == 2:
            lines += [f"{head}failed for {rng.choice(names)}", "\tat shop.Cart.add(Cart.java:12)"]
        elif kind == 3:
            lines.append(f"{head}state={rng.choice(names)} took {rng.random():.3f} s")
        elif kind == 4:
            lines.append(head + " ".join(words(rng, rng.randrange(1, 4))))
        else:
            lines.append(
                f'{{"level":"info","msg":"{rng.choice(verbs)} {rng.choice(names)}","user":"{rng.choice(names)}"}}'
            )
    return lines


@pytest.mark.parametrize("max_clusters", [60, 20_000])
def test_templates_and_counts_are_equal_however_the_input_is_cut_and_after_kills(
    run: Run, make_lines: MakeLines, max_clusters: int
) -> None:
    settings = ParserSettings(max_clusters=max_clusters, max_fingerprints=500)
    lines = corpus(800)
    whole = after_lineage(run(lines, 10_000, Parser(settings)))
    assert sum(whole.values()) == sum(not line.startswith("\t") for line in lines)
    for size in (1, 100):
        assert after_lineage(run(lines, size, Parser(settings))) == whole
    rng, parser, parts, at = random.Random(7), Parser(settings), [], 0
    table, end = make_lines(lines)
    offsets = table["offset"].to_pylist()
    while at < len(lines):
        stop = min(at + rng.randrange(2, 300), len(lines))
        final = stop == len(lines)
        part = parser.process(table.slice(at, stop - at), end if final else offsets[stop], final=final)
        parts.append(part)
        at = len(lines) if part.next == end else offsets.index(part.next)
        parser = Parser.restore(parser.snapshot(), settings)
    assert after_lineage(parts) == whole
