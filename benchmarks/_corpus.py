"""Log corpora of any length from a few lines: parameter values are drawn afresh for every line.

A corpus that repeats its lines flatters whoever remembers lines. Here every run of digits and every hex word gets new
characters of the same kind, so that hardly two lines are equal while their templates stay what they were.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from telemetry import LINES

_BLOCK = 50_000
_SHOP_S = 1200  # of the shop's life: several hundred lines of each service that talks
_BEGAN = datetime(2026, 1, 5, tzinfo=UTC)
_LEVELS = ("INFO", "INFO", "INFO", "WARN", "INFO", "ERROR", "INFO", "DEBUG")
_HEX_LEAST = 4  # characters of a hex word: shorter ones are words ("be", "add1")

Bytes = npt.NDArray[np.uint8]


def fresh_lines(messages: Sequence[str], count: int, seed: int) -> list[str]:
    """Return `count` lines, the messages over and over with values drawn afresh; the same for the same seed."""
    rng = np.random.default_rng(seed)
    source = cycle([message.replace("\n", " ") for message in messages])
    found: list[str] = []
    while len(found) < count:
        found += _redrawn(list(islice(source, min(_BLOCK, count - len(found)))), rng)
    return found


def _redrawn(lines: list[str], rng: np.random.Generator) -> list[str]:
    data = np.frombuffer("\n".join(lines).encode(), np.uint8).copy()
    digit = _within(data, b"09")
    leading = digit & ~np.append(False, digit[:-1])
    drawn = rng.integers(ord("0"), ord("9") + 1, len(data), np.uint8)
    first = rng.integers(ord("1"), ord("9") + 1, len(data), np.uint8)
    letters = _hex_letters(data, digit)
    lower = letters & _within(data, b"af")
    shift = rng.integers(0, 6, len(data), np.uint8)
    data[lower] = ord("a") + shift[lower]
    data[letters & ~lower] = ord("A") + shift[letters & ~lower]
    zero = data == ord("0")
    data[digit] = drawn[digit]
    data[leading & ~zero] = first[leading & ~zero]
    return data.tobytes().decode().split("\n")


def _within(data: Bytes, ends: bytes) -> npt.NDArray[np.bool_]:
    return (data >= ends[0]) & (data <= ends[1])


def _hex_letters(data: Bytes, digit: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return where letters of hex words are: words of hex digits alone, with a digit and a letter among them."""
    letter = _within(data, b"af") | _within(data, b"AF")
    word = digit | _within(data, b"az") | _within(data, b"AZ") | (data >= 128)
    starts = np.flatnonzero(word & ~np.append(False, word[:-1]))
    if not len(starts):
        return np.zeros(len(data), np.bool_)
    sizes = np.flatnonzero(word & ~np.append(word[1:], False)) + 1 - starts
    number = np.cumsum(word & ~np.append(False, word[:-1])) - 1
    foreign, digits = (np.bincount(number[one], minlength=len(starts)) for one in (word & ~digit & ~letter, digit))
    hexadecimal = (foreign == 0) & (digits > 0) & (digits < sizes) & (sizes >= _HEX_LEAST)
    return np.asarray(letter & hexadecimal[np.maximum(number, 0)])


def shop_messages(count: int, seed: int) -> dict[str, list[str]]:
    """Return the messages of the simulated shop's most talkative services, without the headers each of them has."""
    from parsing import Parser
    from simulation import DEFAULT_START, Shop

    said: dict[str, list[str]] = {}
    for chunk in Shop(seed, DEFAULT_START).chunks(_SHOP_S):
        for service, lines in chunk.logs.items():
            said.setdefault(service, []).extend(" ".join(line.split("\n")) for line in lines)
    names = sorted(sorted(said), key=lambda name: -len(said[name]))[:count]
    parsed = {name: Parser().process(table_of(said[name], 0), len(said[name]), True) for name in names}
    return {name: one.logs["body"].to_pylist() for name, one in parsed.items()}


def table_of(lines: Sequence[str], first: int) -> pa.Table:
    """Return lines as the parser takes them (LINES), the first at the position `first`."""
    n = len(lines)
    columns = {
        "observed_time": pa.array(np.full(n, 1_767_600_000_000_000))
        .cast(pa.timestamp("us"))
        .cast(LINES.field("observed_time").type),
        "service": pa.array(["corpus"] * n, pa.string()),
        "body": pa.array(lines, pa.string()),
        "source": pa.array(["corpus"] * n, LINES.field("source").type),
        "partition": pa.array(np.zeros(n, np.int32)),
        "offset": pa.array(np.arange(first, first + n)),
        "line": pa.array(np.arange(first + 1, first + n + 1)),
        "structured": pa.array(np.zeros(n, np.bool_)),
    }
    return pa.table([columns.get(f.name, pa.nulls(n, f.type)) for f in LINES], schema=LINES)


def with_headers(lines: Iterable[str], step_ms: int = 5) -> Iterator[str]:
    """Yield the lines behind a header: a time that rises by `step_ms`, a level and a component."""
    for number, line in enumerate(lines):
        time = _BEGAN + timedelta(milliseconds=step_ms * number)
        yield f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z {_LEVELS[number % 8]} app.core: {line}"
