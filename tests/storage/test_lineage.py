"""Composed lineage equals following the rules one by one."""

from hypothesis import given
from hypothesis import strategies as st

from storage import Rule, resolve

part = st.one_of(st.tuples(st.sampled_from(["x", "-"]), st.none()), st.tuples(st.none(), st.integers(0, 3)))
recipe = st.lists(st.lists(part, max_size=3).map(tuple), max_size=3).map(tuple)
rule = st.builds(Rule, st.integers(0, 8), st.integers(0, 8), recipe)


def apply(rule: Rule, params: list[str]) -> list[str]:
    def text(part: tuple[str | None, int | None]) -> str:
        constant, param = part
        if param is None:
            return constant or ""
        return params[param] if param < len(params) else ""

    return ["".join(map(text, run)) for run in rule.recipe]


def kept(rules: list[Rule]) -> dict[int, Rule]:
    """The newest rule of each id, less those that would close a cycle with newer ones."""
    found: dict[int, Rule] = {}
    for rule in reversed(rules):
        end = rule.to_id
        while end in found:
            end = found[end].to_id
        if rule.from_id not in found and end != rule.from_id:
            found[rule.from_id] = rule
    return found


@given(st.lists(rule, max_size=12), st.lists(st.text("ab", max_size=2), min_size=4, max_size=4))
def test_resolve_equals_following_each_rule(rules: list[Rule], params: list[str]) -> None:
    single = kept(rules)
    resolved = {rule.from_id: rule for rule in resolve(rules)}
    assert resolved.keys() == single.keys()
    for start, composed in resolved.items():
        end, values = start, params
        while end in single:
            end, values = single[end].to_id, apply(single[end], values)
        assert composed.to_id == end
        assert apply(composed, params) == values
        assert end not in resolved


def test_newest_rule_wins_and_cycles_are_cut() -> None:
    def rules(*pairs: tuple[int, int]) -> list[Rule]:
        return [Rule(a, b, ()) for a, b in pairs]

    def ends(*pairs: tuple[int, int]) -> dict[int, int]:
        return {rule.from_id: rule.to_id for rule in resolve(rules(*pairs))}

    assert ends((1, 2), (1, 3)) == {1: 3}
    assert ends((1, 2), (2, 3), (3, 4)) == {1: 4, 2: 4, 3: 4}
    assert ends((1, 2), (2, 1)) == {2: 1}
    assert ends((1, 1)) == {}


def test_long_chains_stay_fast_enough_to_finish() -> None:
    chain = [Rule(n, n + 1, (((None, 0),),)) for n in range(20_000)]
    for rules in (chain, chain[::-1]):
        assert {rule.to_id for rule in resolve(rules)} == {20_000}
