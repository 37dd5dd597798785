"""Header programs find what RE2 finds, on headers as they are and on broken ones."""

import numpy as np
import pytest
import re2
from header_lines import CASES
from hypothesis import given, settings
from hypothesis import strategies as st

from parsing._layouts import NAMED_FORMATS, pattern_layout, whole
from parsing._program import program
from parsing._sniff import sniff
from parsing._vm import DEPTH, MATCH, NO_MATCH, UNDECIDED, run

LINES = [line for line, _ in CASES.values()]
LAYOUTS = [layout.regex for line in LINES if (layout := sniff(line)) is not None]
FORMATS = [*NAMED_FORMATS, "<component>/<level> at <date> <time>: <message>", "<*> [<thread>] <message>"]
REGEXES = LAYOUTS + [pattern_layout(one).regex for one in FORMATS]
SMALL = [
    r"(?P<message>a*?b|a+c)",
    r"(?:(?P<a>[ab]+)-)?(?P<message>.*)",
    r"(?P<a>a{1,3}?)(?P<message>a*)",
    r"(?P<a>(?:ab|a)(?:c|bcd)*)(?P<message>d*)",
    r"(?P<a>\w+)\b.?(?P<message>(?i:Ab|c)|$)",
    r"(?P<a>(?:a|ab){0,2}?)(?P<message>[^c]*)(?:c|$)",
    r"(?P<a>é+)(?P<message>\x{FEFF}?.*)",
]


def matched(regex: str, text: str) -> dict[str, str | None] | None:
    made, data = program(regex + "$"), text.encode()
    saved, stack = np.zeros(2 * len(made.groups), np.int64), np.zeros((DEPTH, 4), np.int64)
    buffer = np.frombuffer(b"x" + data + b"x", np.uint8)
    outcome = run(made.code, made.sets, made.jumps, 0, buffer, 1, 1 + len(data), saved, stack)
    assert outcome in (MATCH, NO_MATCH)
    if outcome == NO_MATCH:
        return None
    places = saved.reshape(-1, 2) - 1
    return {
        name: data[low:high].decode() if high >= 0 else None
        for name, (low, high) in zip(made.groups, places.tolist(), strict=True)
    }


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(REGEXES), st.sampled_from(LINES), st.lists(st.tuples(st.integers(0, 60), st.text(max_size=2))))
def test_headers_whole_and_broken(regex: str, line: str, edits: list[tuple[int, str]]) -> None:
    for place, text in edits[:3]:
        line = line[:place] + text + line[place + 1 :]
    found = re2.fullmatch(whole(regex), line)
    assert matched(regex, line) == (found.groupdict() if found else None)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(SMALL), st.text("abcdé- ", max_size=8))
def test_small_expressions(regex: str, text: str) -> None:
    found = re2.fullmatch(whole(regex), text)
    assert matched(regex, text) == (found.groupdict() if found else None)


def test_every_layout_fits_its_line() -> None:
    for regex, line in zip(LAYOUTS, LINES, strict=True):
        assert matched(regex, line) is not None


@pytest.mark.parametrize("regex", ["(?=a)b", "(?:a*)*b", "(a", "[é]"])
def test_what_no_layout_uses_is_refused(regex: str) -> None:
    with pytest.raises(ValueError, match="expression"):
        program(regex)


def test_a_line_that_takes_too_long_is_given_up() -> None:
    made, data = program(r"(?:a+b?)+c$"), np.frombuffer(b"a" * 3000, np.uint8)
    saved, stack = np.zeros(2, np.int64), np.zeros((DEPTH, 4), np.int64)
    assert run(made.code, made.sets, made.jumps, 0, data, 0, len(data), saved, stack) == UNDECIDED
