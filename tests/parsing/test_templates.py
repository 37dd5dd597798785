"""How template texts are laid out for compiled code."""

from hypothesis import given
from hypothesis import strategies as st

from parsing._templates import Templates
from telemetry import template_id

TEXTS = st.lists(st.text("ab  é<*>", max_size=9) | st.sampled_from(["a  <*>  b", "<*> x <*>", "x" * 200]), max_size=90)


def literals(templates: Templates, number: int) -> list[bytes]:
    data, offsets, first, wild = templates.literals, templates.literal_offsets, templates.first, templates.wild
    places = range(first[number], first[number] + wild[number] + 1)
    return [data[offsets[place] : offsets[place + 1]].tobytes() for place in places]


@given(TEXTS, st.integers(0, 90))
def test_texts_are_laid_out_alike_one_by_one_and_at_once(texts: list[str], looked_at: int) -> None:
    templates, at_once = Templates(), Templates()
    for place, text in enumerate(texts, 1):
        assert templates.add(text) == at_once.add(text) == place
        if place <= looked_at:
            templates.lay_out()
            assert templates.wild[place] == text.count("<*>")
    templates.lay_out()
    at_once.lay_out()
    for number, text in enumerate(texts, 1):
        assert literals(templates, number) == literals(at_once, number)
        assert " ".join("<*>".join(map(bytes.decode, literals(at_once, number))).split()) == " ".join(text.split())
        assert at_once.facts[:, number].tolist() == [text.count("<*>"), template_id(text), len(text.encode())]
        assert (templates.facts[:, number] == at_once.facts[:, number]).all()
