"""Places of a call graph."""

from hypothesis import given
from hypothesis import strategies as st

from dashboard._graph import layout

NAMES = st.sampled_from("abcdefgh")
EDGES = st.lists(st.tuples(NAMES, NAMES), max_size=20)


@given(EDGES, st.randoms())
def test_every_service_has_its_own_place_whatever_the_order(edges: list[tuple[str, str]], random: object) -> None:
    names = sorted({name for edge in edges for name in edge})
    places = layout(names, edges)
    assert sorted(places) == names
    assert len(set(places.values())) == len(names)
    assert all(0 <= x <= 1 and 0 < y < 1 for x, y in places.values())
    shuffled, mixed = list(edges), list(names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert layout(mixed, shuffled) == places


@given(EDGES)
def test_callers_stand_left_of_whom_they_call_where_no_circle_forbids_it(edges: list[tuple[str, str]]) -> None:
    acyclic = [(a, b) for a, b in edges if a < b]
    places = layout({name for edge in acyclic for name in edge}, acyclic)
    assert all(places[a][0] < places[b][0] for a, b in acyclic)


def test_nothing_to_place() -> None:
    assert layout([], []) == {}
    assert layout(["a"], [("a", "a"), ("a", "unknown")]) == {"a": (0.0, 0.46)}
