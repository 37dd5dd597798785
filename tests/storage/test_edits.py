"""What edits promise, whatever was stored and learnt before and after (of the first four see Wang et al., WWW 2023)."""

from itertools import permutations

from edited import World, edit, edits, message, templates, worlds
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from storage import generalised, in_force, tidy
from storage._templates import recipe
from telemetry import WILDCARD, template_id

quick = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def several(data: st.DataObject, world: World, most: int = 4, first: int = 1) -> list:
    made: list = []
    for seq in range(first, first + data.draw(st.integers(0, most))):
        made.append(data.draw(edits(world, seq, made)))
    return made


@quick
@given(worlds(), st.data())
def test_params_filled_in_restore_the_message_and_no_row_is_lost(world: World, data: st.DataObject) -> None:
    assert list(map(message, world.read(several(data, world)))) == list(map(message, world.rows))


@quick
@given(worlds(), st.data())
def test_a_merge_takes_all_lines_of_its_templates_and_no_others(world: World, data: st.DataObject) -> None:
    before = several(data, world, 2)
    old = world.read(before)
    merge = data.draw(edits(world, 9, before, ["merge"]))
    merged = {text for text, _ in old if text in merge.templates}
    new = world.read([*before, merge])
    if len(merge.templates) < 2:
        assert new == old
        return
    together = generalised(merge.templates)
    for (was, params), (now, now_params) in zip(old, new, strict=True):
        if was in merged:
            assert now == together
        elif was != together:  # one that had this very text is the same template
            assert (now, now_params) == (was, params)


@quick
@given(worlds(), st.data())
def test_a_split_parts_exactly_by_the_value(world: World, data: st.DataObject) -> None:
    before = several(data, world, 2)
    old = world.read(before)
    split = data.draw(edits(world, 9, before, ["split", "constant"]))
    assume(split.kind != "parameter")
    [subject], place = split.templates, split.param
    for (was, params), (now, now_params) in zip(old, world.read([*before, split]), strict=True):
        if was == subject and (split.kind == "constant" or params[place] in split.values):
            pieces = was.split(WILDCARD)
            own = [WILDCARD] * place + [params[place]] + [WILDCARD] * (len(pieces) - place - 2)
            assert now == tidy("".join(a + b for a, b in zip(pieces, [*own, ""], strict=True)))
            assert now_params == params[:place] + params[place + 1 :]
        else:
            assert (now, now_params) == (was, params)


@quick
@given(worlds(), st.data())
def test_a_word_that_is_a_parameter_is_one_in_every_line_that_says_the_same(world: World, data: st.DataObject) -> None:
    made = data.draw(edits(world, 1, (), ["parameter"]))
    for (was, _), (now, _) in zip(world.read(), world.read([made]), strict=True):
        same_length = was.count(" ") == made.text.count(" ")
        if was == made.templates[0] or (same_length and recipe(was, made.text) is not None):
            assert recipe(made.text, now) is not None
        else:
            assert was == now


@quick
@given(worlds(), st.data())
def test_an_undo_leaves_no_trace_and_can_be_undone(world: World, data: st.DataObject) -> None:
    made = several(data, world)
    assume(made)
    taken = data.draw(st.sampled_from(made))
    undo = edit(20, "undo", undoes=taken.seq)
    rest = [one for one in made if one is not taken]
    assert world.read([*made, undo]) == world.read(rest)
    assert world.read([*made, undo, edit(21, "undo", undoes=20)]) == world.read(made)


@quick
@given(worlds(), st.data())
def test_what_is_merged_stays_together_whatever_is_learnt_later(world: World, data: st.DataObject) -> None:
    merge = data.draw(edits(World(world.templates, world.rows), 1, (), ["merge"]))
    became = [text for text, _ in world.read()]
    ends = {text for text, (was, _) in zip(became, world.rows, strict=True) if was in merge.templates}
    now = {text for text, was in zip((text for text, _ in world.read([merge])), became, strict=True) if was in ends}
    assert len(now) <= 1


@quick
@given(worlds(), st.data())
def test_each_stored_id_has_one_meaning_that_has_a_text(world: World, data: st.DataObject) -> None:
    meaning = world.meaning(several(data, world))
    texts = {template_id(text) for text in world.templates} | meaning.texts.keys()
    assert len({rule.from_id for rule in meaning.rules}) == len(meaning.rules)
    assert {rule.to_id for rule in meaning.rules} <= texts


@quick
@given(worlds(), st.data())
def test_merging_does_not_depend_on_the_order_of_the_templates(world: World, data: st.DataObject) -> None:
    texts = data.draw(st.lists(st.sampled_from(world.templates), min_size=2, max_size=3, unique=True))
    results = [world.read([edit(1, "merge", *order)]) for order in permutations(texts)]
    assert all(result == results[0] for result in results)


@quick
@given(st.lists(templates, min_size=4, max_size=4, unique=True))
def test_merges_of_different_templates_commute(texts: list[str]) -> None:
    a, b, c, d = texts
    assume(len({generalised([a, b]), generalised([c, d]), *texts}) == 6)
    world = World(tuple(texts), tuple((text, ("x",) * text.count(WILDCARD)) for text in texts))
    there = world.read([edit(1, "merge", a, b), edit(2, "merge", c, d)])
    assert there == world.read([edit(1, "merge", c, d), edit(2, "merge", a, b)])


def test_the_newest_edit_wins() -> None:
    world = World(("cart open",), (("cart open", ()),))
    renames = [edit(n, "rename", "cart open", text=f"name {n}") for n in (1, 2)]
    assert world.read(renames) == [("name 2", ())]


def test_a_renamed_template_keeps_its_name_and_its_values_when_it_generalises() -> None:
    rows = (("ann opens <*> now", ("cart",)), ("<*> opens <*> now", ("bob", "box")))
    world = World(tuple(text for text, _ in rows), rows, (("ann opens <*> now", "<*> opens <*> now"),))
    rename = edit(1, "rename", "ann opens <*> now", text="opening of <*>")
    assert world.read([rename]) == [("opening of <*>", ("cart",)), ("opening of <*>", ("box",))]


def test_a_split_holds_for_what_its_template_becomes() -> None:
    old, new = "ann: <*> box", "<*>: <*> box"
    world = World((old, new), ((old, ("open",)), (new, ("bob", "open")), (new, ("cat", "shut"))), ((old, new),))
    split = edit(1, "split", old, param=0, values=("open",))
    opened = "<*>: open box"
    assert world.read([split]) == [(opened, ("ann",)), (opened, ("bob",)), (new, ("cat", "shut"))]


def test_an_edit_without_effect_is_named() -> None:
    world = World(("a <*>", "b"), ())
    gone = edit(1, "split", "unknown <*>", param=0, values=("x",))
    assert world.meaning([gone, edit(2, "merge", "b")]).lapsed == {1, 2}


def test_undone_undos() -> None:
    made = edit(1, "merge", "a", "b")
    undo, redo = edit(2, "undo", undoes=1), edit(3, "undo", undoes=2)
    assert in_force([made, undo]) == []
    assert in_force([redo, undo, made]) == [made]
