import pyarrow as pa
import pytest
import reference_parsing
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.metrics import parsing_score

texts = st.sampled_from(["a", "b <*>", "c", "", "d <*> e", None])
lines = st.lists(st.tuples(texts, texts), min_size=1, max_size=40).filter(
    lambda rows: any(t is not None for t, _ in rows)
)


def figures(truth, parsed):
    score = parsing_score(truth, parsed)
    return score.ga, score.pa, score.fga, score.fta


@settings(deadline=None)
@given(lines)
def test_equals_the_reference(rows):
    truth, parsed = zip(*rows, strict=True)
    assert figures(truth, parsed) == pytest.approx(reference_parsing.score(truth, parsed), abs=1e-12)


def test_by_hand():
    truth = ["A", "A", "B", "B", "C"]
    parsed = ["A", "A", "B", "X", "C'"]
    # equal groups: {0, 1} and {4}; right templates: A, and B although one of its lines is missing
    assert figures(truth, parsed) == pytest.approx((3 / 5, 3 / 5, 2 * (2 / 4) * (2 / 3) / (2 / 4 + 2 / 3), 4 / 7))


def test_equal_text_is_one_group_and_a_merged_template_is_not_right():
    assert figures(["A", "A", "A"], ["A", "A", "A"]) == (1, 1, 1, 1)
    assert figures(["A", "A", "B"], ["A", "A", "A"]) == (0, 2 / 3, 0, 0)


def test_missing_truth_is_wrong_in_pa_and_left_out_elsewhere():
    assert figures(["A", None], ["A", "A"]) == (1, 0.5, 1, 1)
    assert figures(["A", None], ["A", None]) == (1, 0.5, 1, 1)
    score = parsing_score(["A", None], ["A", "B"])
    assert (score.lines, score.scored, score.truth_templates, score.parsed_templates) == (2, 1, 1, 1)


def test_a_parsed_null_is_the_empty_string():
    assert figures(["", "A"], [None, "A"]) == (1, 1, 1, 1)


@settings(deadline=None)
@given(lines, st.randoms(use_true_random=False))
def test_order_of_lines_does_not_matter(rows, random):
    mixed = random.sample(rows, len(rows))
    assert figures(*zip(*rows, strict=True)) == pytest.approx(figures(*zip(*mixed, strict=True)), abs=1e-12)


def test_takes_arrow_in_any_layout():
    truth = pa.chunked_array([["A"], ["B", None]])
    parsed = pa.array(["A", "B", "B"]).dictionary_encode()
    assert figures(truth, parsed) == (1, 2 / 3, 1, 1)


def test_refuses_unequal_lengths_and_no_truth():
    with pytest.raises(ValueError, match="2 true and 1 parsed"):
        parsing_score(["A", "B"], ["A"])
    with pytest.raises(ValueError, match="none of 1 lines"):
        parsing_score([None], ["A"])
