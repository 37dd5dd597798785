"""Words: what pages show is exactly the text, and says times and sizes plainly."""

import html
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import _words as words

MINUTE = 60 * words.SECOND_US


class Elements(HTMLParser):
    """Collects the elements and the text that a browser would see."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(max_size=60))
def test_escaped_text_is_no_markup_and_reads_as_written(text: str) -> None:
    seen = Elements(words.tag("div", words.escaped(text), title=text))
    assert seen.elements == ["div"]
    assert seen.text == words.visible(text)


@given(st.text())
def test_nothing_invisible_is_left(text: str) -> None:
    assert not [c for c in words.visible(text) if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c not in "\n\t"]


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_visible_leaves_ordinary_text_alone(text: str) -> None:
    assert words.visible(text) == text


def test_long_text_is_cut_with_a_sign() -> None:
    assert html.unescape(words.escaped("a" * 50, limit=10)) == "a" * 9 + "…"


@given(st.text(alphabet="ab:*_[]()$`<>#\\-\n", max_size=20))
def test_markdown_escapes_every_mark(text: str) -> None:
    shown = words.markdown(text)
    for at, char in enumerate(shown):
        if char in ":*_[]()$`<>#-":
            escapes = len(shown[:at]) - len(shown[:at].rstrip("\\"))
            assert escapes % 2 == 1, shown


def test_markdown_breaks_icon_names() -> None:
    assert words.markdown(":material/home:").startswith("\\:\u2060")


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (8 * words.SECOND_US, "8 s"),
        (4 * MINUTE + 59 * words.SECOND_US, "4 min"),
        (120 * MINUTE, "2 h"),
        (125 * MINUTE, "2 h 5 min"),
        (76 * 60 * MINUTE, "3 d 4 h"),
        (-5, "0 s"),
    ],
)
def test_duration(us: int, text: str) -> None:
    assert words.duration(us) == text


def test_times_are_utc_and_carry_the_date_only_where_needed() -> None:
    noon = 1_767_268_990_000_000
    assert words.clock(noon) == "2026-01-01 12:03:10 UTC"
    assert words.clock(noon, day_of=noon + MINUTE) == "12:03:10 UTC"
    assert words.clock(noon, day_of=noon + 1440 * MINUTE) == "2026-01-01 12:03:10 UTC"
    assert words.age(noon, noon + 4 * MINUTE) == "4 min ago"
    assert words.age(noon + 2 * MINUTE, noon) == "in the future"
    assert (words.lag(80 * words.SECOND_US), words.lag(-5 * words.SECOND_US)) == ("+01:20", "−00:05")


def test_numbers_and_words() -> None:
    assert [words.number(v) for v in (None, 0.30001, 12345.6, -2.0)] == ["–", "0.3", "12,346", "-2"]
    assert [words.percent(v) for v in (None, 0.616)] == ["–", "62 %"]
    assert [words.plural(n, "minute") for n in (0, 1, 2000)] == ["no minutes", "1 minute", "2,000 minutes"]
    assert [words.severity(n) for n in (None, 9, 18, 24)] == ["", "INFO", "ERROR", "FATAL"]
