import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parsing_texts import fill, same_but_blanks

from parsing._columns import Spans
from parsing._fit import fit_column, fit_one, recipe
from telemetry import WILDCARD

WORDS = st.lists(st.sampled_from(["a", "b", "ab", "12", "é", "a b", ":", "aab"]), min_size=1, max_size=6)


@settings(deadline=None)
@given(WORDS, st.data())
def test_a_template_made_from_a_text_fits_it_and_restores_it(words: list[str], data: st.DataObject) -> None:
    hidden = data.draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    template = " ".join(WILDCARD if hide else word for word, hide in zip(words, hidden, strict=True))
    text = data.draw(st.sampled_from([" ", "  ", "\t"])).join(words)
    params = fit_one(template, text)
    assert params is not None
    assert same_but_blanks(fill(template, params), text)


def test_what_does_not_fit() -> None:
    assert fit_one("a <*> b", "a x c") is None
    assert fit_one("a", "a b") is None
    assert fit_one("a <*> b <*> c", "a 1 bc") is None


def test_nothing_between_two_blanks_fits_only_where_nothing_else_does() -> None:
    assert fit_one("a <*> b <*> c", "a 1 b  c") == fit_one("a <*> b <*> c", "a 1 b c") == ["1", ""]
    assert fit_one("a <*> b", "a  b") == fit_one("a <*> b", "a b") == [""]
    assert fit_one("a <*> b <*>", "a b b 5") == ["b", "5"]
    assert fit_one("a <*>b", "a b") == [""]


def test_rows_that_do_not_fit_have_no_params() -> None:
    params, fits = fit_column(Spans.of(pa.array(["a 1", "b 2", "a 3"])), ["a <*>"], np.zeros(3, np.int64))
    assert fits.tolist() == [True, False, True]
    assert params.to_pylist() == [["1"], [], ["3"]]


@settings(deadline=None)
@given(WORDS, st.data())
def test_a_recipe_turns_old_params_into_ones_of_the_new_template(words: list[str], data: st.DataObject) -> None:
    flags = st.lists(st.booleans(), min_size=len(words), max_size=len(words))
    old_hidden, more = data.draw(flags), data.draw(flags)
    old = " ".join(WILDCARD if hide else word for word, hide in zip(words, old_hidden, strict=True))
    new = " ".join(WILDCARD if hide or also else word for word, hide, also in zip(words, old_hidden, more, strict=True))
    text = " ".join(words)
    made, params = recipe(old, new), fit_one(old, text)
    assert made is not None
    assert params is not None
    turned = ["".join(params[p["param"]] if p["text"] is None else p["text"] for p in parts) for parts in made]
    assert same_but_blanks(fill(new, turned), text)


@pytest.mark.parametrize(
    ("old", "new"), [("a <*>>b", "a <*>><*>"), ("<*><a b", "<*><<*> b"), ("a <*>*>b", "a <*>><*>")]
)
def test_signs_of_a_wildcard_in_the_text_do_not_mislead_a_recipe(old: str, new: str) -> None:
    made = recipe(old, new)
    assert made is not None
    assert [part["param"] for parts in made for part in parts if part["text"] is None] == [0]
