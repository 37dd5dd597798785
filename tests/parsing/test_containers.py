"""Lines that a container runtime wrote (CRI): the program's own lines are inside, with headers of their own."""

from collections.abc import Callable
from typing import Any

import pytest

from parsing import Parser, ParserSettings, explain
from telemetry import Parsed

Run = Callable[..., list[Parsed]]


def wrap(lines: list[str]) -> list[str]:
    streams = ("stdout", "stderr")
    return [f"2026-01-05T10:11:{n:02}.123456789Z {streams[n % 2]} F {line}" for n, line in enumerate(lines)]


def rows(run: Run, lines: list[str], size: int = 100) -> list[dict[str, Any]]:
    return [row for part in run(lines, size, service=None) for row in part.logs.to_pylist()]


INNER = [
    "2026-01-05 11:11:12,100 INFO [main] shop.Cart: added 5",
    "2026-01-05 11:11:12,200 ERROR [main] shop.Cart: failed",
    "java.lang.Error: no",
    "\tat shop.Cart.add(Cart.java:12)",
    "2026-01-05 11:11:12,300 INFO [main] shop.Cart: added 6",
]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_the_header_inside_counts_and_stack_traces_join(run: Run, size: int) -> None:
    found = rows(run, wrap(INNER), size)
    assert [row["body"] for row in found] == ["added 5", "\n".join(["failed", *INNER[2:4]]), "added 6"]
    assert [row["severity_text"] for row in found] == ["INFO", "ERROR", "INFO"]
    assert {row["component"] for row in found} == {"shop.Cart"}
    assert [row["time"].second for row in found] == [0, 1, 4], "the runtime's time has a zone, the program's may not"
    assert found[0]["template_id"] == found[2]["template_id"]


def test_plain_lines_inside_are_records(run: Run) -> None:
    found = rows(run, wrap(["item 1 sold", "item 2 sold", "  indented"]))
    assert [row["body"] for row in found] == ["item 1 sold", "item 2 sold\n  indented"]
    assert [row["time"].second for row in found] == [0, 1]


@pytest.mark.parametrize(
    ("line", "level", "component", "body"),
    [
        ("E0105 10:11:13.000001    1 server.go:12] slow", "E", "server.go:12", "slow"),
        ('{"level":"warn","msg":"low disk","logger":"db"}', "warn", "db", "low disk"),
        ("level=error msg=boom logger=api", "error", "api", "boom"),
        ("[2026-01-05 12:00:00,123: INFO/MainProcess] done", "INFO", None, "done"),
    ],
)
def test_other_formats_inside(run: Run, line: str, level: str, component: str | None, body: str) -> None:
    [row] = rows(run, wrap([line]))
    assert (row["severity_text"], row["component"], row["body"]) == (level, component, body)
    assert row["time"].isoformat() == "2026-01-05T10:11:00.123456+00:00"


def test_both_headers_are_explained(run: Run) -> None:
    parser = Parser(ParserSettings())
    run(wrap(INNER), 2, parser)
    text = explain(parser)
    assert "2 header formats" in text
    assert "<level> [<thread>] <component>: <message>" in text


def part(second: int, output: str, tag: str, text: str) -> str:
    return f"2026-01-05T10:11:{second:02}.000000000Z {output} {tag} {text}"


PARTS = [
    part(0, "stdout", "F", "2026-01-05 10:11:00,100 INFO [main] shop.Cart: added 5"),
    part(1, "stdout", "P", "2026-01-05 10:11:01,100 INFO [main] shop.Cart: added a thing"),
    part(1, "stdout", "P", " of a long "),
    part(1, "stderr", "F", "2026-01-05 10:11:01,300 WARN [main] shop.Pay: slow"),
    part(2, "stderr", "P", "2026-01-05 10:11:02,300 ERROR [main] shop.Pay: fai"),
    part(2, "stdout", "F", "name"),
    part(2, "stderr", "F", "led"),
    part(3, "stderr", "F", "java.lang.Error: no"),
    part(3, "stderr", "P", "\tat shop.Cart.add("),
    part(3, "stderr", "F", "Cart.java:12)"),
    part(4, "stdout", "P", "2026-01-05 10:11:04,100 INFO [main] shop.Cart: no end"),
]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("offsets", [None, [0, 0, 0, 1, 1, 1, 2, 3, 3, 4, 5]], ids=["lines", "messages"])
def test_a_line_in_parts_is_one_whatever_the_batches(run: Run, size: int, offsets: list[int] | None) -> None:
    """Of files, and of messages of one or more lines, which batches do not take apart."""
    size = size if offsets is None or size == 3 else 100
    parsed = run(PARTS, size, service=None, offsets=offsets)
    found = [row for part in parsed for row in part.logs.to_pylist()]
    trace = "java.lang.Error: no\n\tat shop.Cart.add(Cart.java:12)"
    assert [row["body"] for row in found] == [
        "added 5",
        "added a thing of a long name",
        "slow",
        *(["failed", trace] if offsets else [f"failed\n{trace}"]),  # messages of several lines stand alone
        "no end",
    ]
    assert [row["severity_text"] for row in found][:4] == ["INFO", "INFO", "WARN", "ERROR"]
    assert [row["line"] for row in found][:4] == [1, 2, 4, 5]
    assert sum(part.logs.num_rows + part.joined for part in parsed) == len(PARTS)


@pytest.mark.parametrize("size", [70, 5000])
def test_parts_that_never_end_wait_for_so_many_lines_only(run: Run, size: int) -> None:
    lines = [part(0, "stdout", "P", "never "), *(part(1, "stderr", "F", f"item {n} sold") for n in range(600))]
    lines += [part(2, "stdout", "F", "ended"), *(part(3, "stdout", "P", "y" * 10_000) for n in range(250))]
    parser = Parser(ParserSettings())
    bodies = [row["body"] for part in run(lines, size, parser, service=None) for row in part.logs.to_pylist()]
    assert bodies[0] == "never "
    assert bodies[601] == "ended"
    assert [len(body) for body in bodies[602:]] == [1_040_000, 1_040_000, 420_000]
