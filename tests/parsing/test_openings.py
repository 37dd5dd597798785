"""Keys of openings, and who was the first to have one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from parsing._openings import Openings, bits_of, keys_of, places_of

Words = tuple[str, ...]
WORDS = st.lists(st.sampled_from(["a", "b", "<*>"]) | st.text(min_size=1, max_size=3), max_size=12).map(tuple)


def opened(words: Words, places: tuple[int, ...]) -> tuple[str | None, ...]:
    return tuple([None if place in places else word for place, word in enumerate(words)])


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.tuples(WORDS | st.just(("a",) * 41), st.integers(0, 1)), max_size=6))
def test_openings_have_one_key_if_they_leave_the_same_words(messages: list[tuple[Words, int]]) -> None:
    left: dict[int, set[object]] = {}
    keys = keys_of([words for words, _ in messages], [seed for _, seed in messages])
    for (words, seed), own in zip(messages, keys, strict=True):
        for places, key in zip(places_of(len(words)), own.tolist(), strict=True):
            left.setdefault(key, set()).add((seed, opened(words, places)))
    assert all(len(one) == 1 for one in left.values())
    assert len({one for each in left.values() for one in each}) == len(left)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 200), max_size=64, unique=True), max_size=20))
def test_who_enters_a_key_learns_who_was_first(entered: list[list[int]]) -> None:
    openings, first = Openings(), dict[int, int]()
    for owner, own in enumerate(entered, 1):
        keys = np.array([key << 48 for key in own], np.uint64)  # alike where a table of few looks
        expected = [[which, first[key]] for which, key in enumerate(own) if key in first]
        assert openings.enter(keys, owner) == expected
        for key in own:
            first.setdefault(key, owner)


def test_an_owner_does_not_meet_itself() -> None:
    openings, keys = Openings(), np.array([5, 5], np.uint64)
    assert openings.enter(keys, 1) == []
    assert openings.enter(keys, 2) == [[0, 1], [1, 1]]


def test_bits_are_those_of_the_places() -> None:
    assert bits_of(3) == [((0,), 1), ((1,), 2), ((2,), 4), ((0, 1), 3), ((0, 2), 5), ((1, 2), 6)]
    assert bits_of(41) == []
