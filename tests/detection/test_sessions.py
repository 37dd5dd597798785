"""Session detectors: what they flag, and that neither labels nor order matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection import SESSION_METHODS, score_sessions
from telemetry import UsageError

NORMAL = [("open", *["read"] * (1 + i % 3), "close") for i in range(60)]
ODD = ("open", *["oops"] * 5, "close")


def flags(train, test, method: str = "knn") -> list[bool]:
    found = score_sessions(train, test, method)
    return (found.scores >= found.threshold).tolist()


@pytest.mark.parametrize("method", SESSION_METHODS)
def test_known_sessions_pass_and_unknown_ones_do_not(method: str):
    assert flags(NORMAL, [NORMAL[0], ODD, ("open", *["read"] * 40, "close"), ()], method) == [False, True, True, True]


def test_a_few_odd_sessions_in_training_do_not_hide_the_next_one():
    others = [("open", *["oops"] * n, "close") for n in (4, 6, 7)]
    assert flags([*NORMAL, *others], [ODD]) == [True]
    assert flags([*NORMAL, *others, ODD], [ODD]) == [True]
    assert flags([*NORMAL, *others, ODD], [ODD], "unseen") == [False]


def test_further_away_is_worse():
    tests = [("open", *["read"] * n, "close") for n in (3, 6, 12, 24)]
    scores = score_sessions(NORMAL, tests).scores
    assert (np.diff(scores) > 0).all()


def test_one_kind_of_session_is_enough_to_learn_from():
    assert flags([("a", "b")] * 5, [("a", "b"), ("a", "a", "b")]) == [False, True]
    assert flags([("a",), ("b",)], [("a",), ("c",)]) == [False, True]


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(random):
    tests = [*NORMAL[:5], ODD]
    shuffled = [tuple(random.sample(session, len(session))) for session in tests]
    assert score_sessions(NORMAL, shuffled).scores.tolist() == score_sessions(NORMAL, tests).scores.tolist()


def test_nothing_to_score_or_to_learn_from():
    assert len(score_sessions(NORMAL, []).scores) == 0
    with pytest.raises(UsageError, match="no training session"):
        score_sessions([], NORMAL)
    with pytest.raises(UsageError, match="one of knn, unseen"):
        score_sessions(NORMAL, NORMAL, "deep")
