"""Header programs find what RE2 finds, on headers as they are and on broken ones."""

import numpy as np
import pytest
import re2
from header_files import FILES
from header_lines import CASES
from hypothesis import given, settings
from hypothesis import strategies as st

from parsing._layouts import NAMED_FORMATS, pattern_layout, whole
from parsing._program import program
from parsing._sniff import sniff
from parsing._vm import take_headers

LINES = [line for line, _ in CASES.values()] + [lines[-1][0] for lines in FILES.values()]
FITTING = [(layout.regex, line) for line in LINES if (layout := sniff(line)) is not None]
LAYOUTS = [regex for regex, _ in FITTING]
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


Found = dict[str, str | None] | None


def all_matched(regex: str, lines: list[str]) -> list[Found]:
    """Return the groups of each line, None for one that does not match; the lines are those of one buffer."""
    made, texts = program(regex), [line.encode() for line in lines]
    data = np.frombuffer(b"x" + b"x".join(texts) + b"x" * 70, np.uint8)
    line_ends = np.cumsum([len(text) + 1 for text in texts])
    line_begins = line_ends - [len(text) for text in texts]
    rows, which = np.arange(len(lines)), np.full(len(lines), -5)
    fields = np.arange(len(made.groups))
    begins, ends = np.zeros((2, len(fields), len(lines)), np.int64)
    arrays = (made.code, made.sets, made.jumps, made.alike, np.zeros(1, np.int64), fields[np.newaxis])
    take_headers(*arrays, fields, data, line_begins, line_ends, rows, which, begins, ends)
    assert set(which.tolist()) <= {0, -1}
    found: list[Found] = []
    for row in rows:
        spans = zip(made.groups, begins[:, row], ends[:, row], strict=True)
        groups = {name: data[low:high].tobytes().decode() if high else None for name, low, high in spans}
        found.append(groups if which[row] == 0 else None)
    return found


def matched(regex: str, text: str) -> Found:
    return all_matched(regex, [text])[0]


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(REGEXES), st.sampled_from(LINES), st.lists(st.tuples(st.integers(0, 60), st.text(max_size=2))))
def test_headers_whole_and_broken(regex: str, line: str, edits: list[tuple[int, str]]) -> None:
    for place, text in edits[:3]:
        line = line[:place] + text + line[place + 1 :]
    found = re2.fullmatch(whole(regex), line)
    assert matched(regex, line) == (found.groupdict() if found else None)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(REGEXES), st.sampled_from(LINES), st.data())
def test_what_lines_share_with_those_before_them_changes_nothing(regex: str, line: str, data: st.DataObject) -> None:
    bytes_there = st.sampled_from(line + "0aA: []-.\té")
    edits = st.lists(st.tuples(st.integers(0, 70), bytes_there, st.booleans()), max_size=2)
    drawn = data.draw(st.lists(edits, min_size=1, max_size=12))
    lines = [line]
    for one in drawn * data.draw(st.sampled_from([1, 1, 20])):
        lines.append(line)
        for place, text, instead in one:
            lines[-1] = lines[-1][:place] + text + lines[-1][place + instead :]
    expected = [re2.fullmatch(whole(regex), one) for one in lines]
    assert all_matched(regex, lines) == [one.groupdict() if one else None for one in expected]


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(SMALL), st.text("abcdé- ", max_size=8))
def test_small_expressions(regex: str, text: str) -> None:
    found = re2.fullmatch(whole(regex), text)
    assert matched(regex, text) == (found.groupdict() if found else None)


def test_every_layout_fits_its_line() -> None:
    for regex, line in FITTING:
        assert matched(regex, line) is not None
        assert len(program(regex).groups) == len(set(program(regex).groups))


@pytest.mark.parametrize("regex", ["(?=a)b", "(?:a*)*b", "(a", "[é]"])
def test_what_no_layout_uses_is_refused(regex: str) -> None:
    with pytest.raises(ValueError, match="expression"):
        program(regex)


def test_a_line_that_takes_too_long_is_given_up() -> None:
    made, data = program(r"(?P<message>(?:a+b?)+c)"), np.frombuffer(b"a" * 3000, np.uint8)
    one, which, places = np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros((1, 1), np.int64)
    arrays = (made.code, made.sets, made.jumps, made.alike, one, places)
    take_headers(*arrays, one, data, one, one + len(data), one, which, places.copy(), places.copy())
    assert which[0] == -2
