"""Templates as texts: what covers what, and how parameters follow."""

import pytest
from edited import templates, value
from hypothesis import given, settings
from hypothesis import strategies as st

from storage import fill, generalised, tidy, words
from storage._templates import recipe
from telemetry import WILDCARD


@settings(deadline=None)
@given(st.lists(templates, min_size=1, max_size=4), st.data())
def test_a_generalised_template_covers_every_text_and_restores_it(texts: list[str], data: st.DataObject) -> None:
    common = generalised(texts)
    assert common == generalised(texts[::-1]) == tidy(common)
    for text in texts:
        made = recipe(text, common)
        assert made is not None
        count = text.count(WILDCARD)
        params = data.draw(st.lists(st.sampled_from(["x", "a b", "", "="]), min_size=count, max_size=count))
        assert tidy(fill(common, [value(run, params) for run in made])) == tidy(fill(text, params))


@pytest.mark.parametrize(
    ("texts", "common"),
    [
        (["user ann logged in", "user bob logged in"], "user <*> logged in"),
        (["state=open for <*>", "state=shut for <*>"], "state=<*> for <*>"),
        (["took <*> ms", "took <*> ms"], "took <*> ms"),
        (["cart of ann is full", "cart of bob x is full"], "cart of <*> is full"),
        (["disk is very full", "disk is full"], "disk <*> full"),
        (["very full", "full"], "<*>"),
        (["a", "b"], "<*>"),
        (["", "a"], "<*>"),
    ],
)
def test_what_two_templates_share(texts: list[str], common: str) -> None:
    assert generalised(texts) == common


def test_a_template_that_says_more_does_not_cover() -> None:
    assert recipe("user <*>", "user <*> logged in") is None
    assert recipe("user ann", "user bob") is None
    assert recipe("user \ue000", "user <*>") == ((("\ue000", None),),)


def test_words_of_a_template() -> None:
    text = "user=<*> (id 5): said <hi>"
    assert [text[a:b] for a, b in words(text)] == ["user", "<*>", "id", "5", "said", "hi"]
