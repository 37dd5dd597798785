"""Edits of templates: say what is true, see what that changes, apply it, take it back. Log text is shown as it is."""

from collections.abc import Callable

import pyarrow as pa
import streamlit as st

from dashboard import _auth, _store
from dashboard import _view as view
from dashboard._words import escaped, plural, tag, visible
from faultline import templates
from faultline.templates import Author
from storage import Edit, Reader, Store, words
from telemetry import WILDCARD, FaultlineError, format_id

_DRAFT = "draft"
Draft = Callable[[Author], Edit]


def panel(ids: list[str]) -> None:
    """Draw the form for templates (16 hex digits each), the preview of what was drafted, and the edits so far."""
    try:
        reader = _store.reader(_store.store_url())
        draft = st.session_state.get(_DRAFT)
        if isinstance(draft, Edit):
            _confirm(draft)
        elif ids:
            _form(reader, ids)
        else:
            _note("Select in the table the templates to edit: one to split or rename, several to merge.")
        _history(reader)
    except FaultlineError as error:
        st.session_state.pop(_DRAFT, None)
        _note(str(error))


def _note(text: str) -> None:
    view.show(tag("div", escaped(text, 500), css="fl-note"))


def _form(reader: Reader, ids: list[str]) -> None:
    draft = _merging(reader, ids) if len(ids) > 1 else _changing(reader, ids[0])
    reason = st.text_input("Why", key="edit-reason", max_chars=200, placeholder="Kept with the edit")
    if st.button("Preview", type="primary", disabled=draft is None) and draft is not None:
        st.session_state[_DRAFT] = draft(Author(_auth.visitor(), reason.strip()))
        st.rerun()


def _merging(reader: Reader, ids: list[str]) -> Draft:
    _note(f"{plural(len(ids), 'template')} become one: what they share stays, the rest becomes parameters.")
    return lambda by: templates.merge(reader, ids, by)


def _changing(reader: Reader, id: str) -> Draft | None:
    """Draw what can be said about one template; None while something is missing."""
    template_id, text = templates.one(reader, id)
    params = text.count(WILDCARD)
    kinds = ["A word is a parameter", "Rename"]
    if params:
        kinds = ["Split off values", "A parameter is none", *kinds]
    kind = st.segmented_control("What is true?", kinds, default=kinds[0], key="edit-kind", required=True)
    if kind == "Rename":
        name = st.text_input("Name", value=text, key=f"edit-name-{id}", max_chars=templates.MOST_TEXT)
        return lambda by: templates.rename(reader, id, name, by)
    if kind == "A word is a parameter":
        spans = words(text)
        chosen = st.multiselect(
            "Words that are parameters",
            [n for n, (begin, end) in enumerate(spans, 1) if text[begin:end] != WILDCARD],
            format_func=lambda n: f"{n}: {visible(text[slice(*spans[n - 1])])}",
            key=f"edit-words-{id}",
        )
        return (lambda by: templates.parameter(reader, id, chosen, by)) if chosen else None
    place = st.selectbox("Parameter", range(1, params + 1), key=f"edit-param-{id}")
    found = dict(templates.values(reader, template_id, place - 1))
    if kind == "A parameter is none":
        _note(f"Each of its values makes a template of its own, now and later: {', '.join(list(found)[:8])}")
        return lambda by: templates.constant(reader, id, place, by)
    picked = st.multiselect(
        "Values that are events of their own",
        list(found),
        format_func=lambda value: f"{visible(value)} ({found[value]})",
        key=f"edit-values-{id}-{place}",
    )
    return (lambda by: templates.split(reader, id, place, picked, by)) if picked else None


def _confirm(edit: Edit) -> None:
    """Draw what the edit would change, and the buttons that store or drop it."""
    store = Store.open(_store.store_url(), create=False)
    shown = templates.preview(store, edit)
    _note(f"Edit {edit.seq}: {templates.describe(edit)}")
    rows = [("−", *row) for row in shown.before] + [("+", *row) for row in shown.after]
    columns = {
        "": [sign for sign, *_ in rows],
        "Records": [count for *_, count in rows],
        "Template": [visible(text) for *_, text, _ in rows],
        "Id": [format_id(id) for _, id, *_ in rows],
    }
    st.dataframe(pa.table(columns), hide_index=True, key="edit-preview")
    _note(f"{plural(shown.rows, 'stored record')} would belong to another template.")
    if shown.lapsed:
        _note(f"Edits that would no longer have an effect: {', '.join(map(str, shown.lapsed))}")
    apply, discard, _ = st.columns([1, 1, 6])
    if apply.button("Apply", type="primary"):
        del st.session_state[_DRAFT]
        store.append_edit(edit)
        st.rerun()
    if discard.button("Discard"):
        del st.session_state[_DRAFT]
        st.rerun()


def _history(reader: Reader) -> None:
    edits, meaning = reader.edits()
    if not edits:
        return
    gone = templates.undone(edits)
    newest = edits[::-1][:100]
    with st.expander(f"Edits so far: {len(edits)}"):
        columns = {
            "Edit": [edit.seq for edit in newest],
            "When": pa.array([edit.time for edit in newest], pa.timestamp("us", "UTC")),
            "Who": [visible(edit.actor) for edit in newest],
            "What": [visible(templates.describe(edit)) for edit in newest],
            "Why": [visible(edit.reason) for edit in newest],
            "Status": [_status(edit, gone, meaning.lapsed) for edit in newest],
        }
        st.dataframe(pa.table(columns), hide_index=True, key="edits")
        choices = [edit.seq for edit in newest if edit.seq not in gone]
        chosen = st.selectbox("Take back edit", choices, key="undo-seq")
        if st.button("Preview the undo", disabled=chosen is None) and chosen is not None:
            st.session_state[_DRAFT] = templates.undo(reader, chosen, Author(_auth.visitor()))
            st.rerun()


def _status(edit: Edit, gone: set[int], lapsed: set[int]) -> str:
    return "undone" if edit.seq in gone else "no effect" if edit.seq in lapsed else "in force"
