from typing import Any

import pytest

from parsing import Parser, ParserSettings
from telemetry import SettingsError


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"engine": "spell"}, "engine"),
        ({"similarity": 0}, "similarity"),
        ({"depth": 2}, "depth"),
        ({"max_clusters": 0}, "max_clusters"),
        ({"year": 12}, "year"),
        ({"timezone": "Mars/Base"}, "timezone"),
    ],
)
def test_bad_values_are_named(values: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        ParserSettings(**values)


@pytest.mark.parametrize("mask", ["(", r"(a)\1", "(?=a)"])
def test_masks_that_need_more_than_linear_time_are_refused(make_lines: Any, mask: str) -> None:
    table, end = make_lines(["x"])
    with pytest.raises(SettingsError, match="mask"):
        Parser(ParserSettings(masks=(mask,))).process(table, end)


@pytest.mark.parametrize(
    "pattern", ["nonsense", "<time> <colour> <message>", "<level> <level> <message>", "<time:x> <message>"]
)
def test_bad_formats_are_refused(make_lines: Any, pattern: str) -> None:
    table, end = make_lines(["x"])
    with pytest.raises(SettingsError, match="format"):
        Parser(ParserSettings(format=pattern)).process(table, end)
