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


@pytest.mark.parametrize("mask", ["(", r"(a)\1", "(?=a)", "(?:(?:a{1000}){1000}){1000}", r"\d*"])
def test_masks_that_re2_refuses_or_that_match_nothing_are_refused(mask: str) -> None:
    with pytest.raises(SettingsError, match="mask"):
        ParserSettings(masks=(mask,))


def test_a_refused_mask_is_told_once_and_not_by_the_library(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingsError) as error:
        ParserSettings(masks=("(?=a)b",))
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_what_takes_exponential_time_elsewhere_takes_none_here(run: Any) -> None:
    settings = ParserSettings(format="message", masks=(r"^(\w+\s?)+$",))
    [part, _] = run(["a" * 30_000 + "!"], 1, Parser(settings))
    assert part.logs.num_rows == 1


@pytest.mark.parametrize(
    "pattern", ["nonsense", "<time> <colour> <message>", "<level> <level> <message>", "<time:x> <message>"]
)
def test_bad_formats_are_refused(pattern: str) -> None:
    with pytest.raises(SettingsError, match="format"):
        ParserSettings(format=pattern)
