"""Headers of many kinds, each from a single line written for this test."""

import pytest
import re2
from header_lines import CASES

from parsing._layouts import pattern_layout
from parsing._sniff import sniff


@pytest.mark.parametrize("name", CASES)
def test_fields_of_a_header(name: str) -> None:
    line, want = CASES[name]
    layout = sniff(line)
    assert layout is not None
    found = re2.fullmatch("(?s)" + layout.regex, line)
    assert found is not None, layout.pattern
    assert {key: found.groupdict()[key] or "" for key in want} == want


@pytest.mark.parametrize("name", CASES)
def test_what_is_shown_of_a_header_can_be_set(name: str) -> None:
    line, _ = CASES[name]
    layout = sniff(line)
    assert layout is not None
    assert pattern_layout(layout.pattern).regex.endswith("(?P<message>.*)")


@pytest.mark.parametrize(
    "line",
    [
        "plain words",
        "",
        "at com.shop.Cart.add(Cart.java:12)",
        "\tindented 12:00:00",
        "user came at Jan 05 04:05:06 2026",
    ],
)
def test_lines_without_a_header(line: str) -> None:
    assert sniff(line) is None
