"""Editing templates on the Logs page: preview first, then apply, and take back."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import _queries as queries
from faultline import templates
from faultline.templates import Author
from storage import LogFilter, Reader, Store
from telemetry import format_id, parse_id, template_id

from . import shop


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store that this test may edit."""
    folder = tmp_path / "store"
    shop.fill(str(folder), datetime.now(UTC).replace(second=0, microsecond=0))
    monkeypatch.setenv("FAULTLINE_STORE", str(folder))
    return folder


def draw(store: Path, *ids: str) -> AppTest:
    """Draw the form as the Logs page does where these templates are selected."""
    script = store.parent / "page.py"
    script.write_text(f"from dashboard import _edits\n\n_edits.panel({list(ids)!r})\n")
    app = AppTest.from_file(str(script), default_timeout=60).run()
    assert not app.exception
    return app


def press(app: AppTest, label: str) -> None:
    [button] = [button for button in app.button if button.label == label]
    button.click().run()
    assert not app.exception


def said(app: AppTest) -> str:
    return "\n".join(element.value for element in app.html)


def texts(store: Path) -> dict[str, str]:
    with Store.open(store, create=False).reader() as reader:
        rows = reader.query("SELECT template_id, template FROM templates").to_pylist()
    return {row["template"]: format_id(row["template_id"]) for row in rows}


def test_merging_is_shown_first_then_applied_and_taken_back(own: Path) -> None:
    before = texts(own)
    app = draw(own, before["retry <*> of 3 after <*> ms"], before["request <*> timed out after <*> ms"])
    assert "2 templates become one" in said(app)
    app.text_input(key="edit-reason").set_value("one thing").run()
    press(app, "Preview")
    assert "<*> after <*> ms" in app.dataframe[0].value["Template"].to_list()[-1]
    assert texts(own) == before, "nothing is stored by a preview"
    press(app, "Apply")
    assert "request <*> timed out after <*> ms" not in texts(own)
    press(app, "Preview the undo")
    press(app, "Apply")
    assert texts(own) == before
    with Store.open(own).reader() as reader:
        edits = reader.edits()[0]
    assert [(edit.kind, edit.actor, edit.reason) for edit in edits] == [
        ("merge", "dashboard", "one thing"),
        ("undo", "dashboard", ""),
    ]


def test_one_template_is_split_by_values_or_renamed(own: Path) -> None:
    retry = texts(own)["retry <*> of 3 after <*> ms"]
    app = draw(own, retry)
    value = app.multiselect(key=f"edit-values-{retry}-1").options[0].partition(" (")[0]
    app.multiselect(key=f"edit-values-{retry}-1").set_value([value]).run()
    press(app, "Preview")
    assert f"retry {value} of 3 after <*> ms" in app.dataframe[0].value["Template"].to_list()
    press(app, "Discard")
    app.segmented_control(key="edit-kind").set_value("Rename").run()
    app.text_input(key=f"edit-name-{retry}").set_value("again").run()
    press(app, "Preview")
    assert "the name has 0 `&lt;*&gt;`; want 2" in said(app)
    app.segmented_control(key="edit-kind").set_value("A word is a parameter").run()
    app.multiselect(key=f"edit-words-{retry}").set_value([1]).run()
    press(app, "Preview")
    press(app, "Apply")
    assert "<*> <*> of 3 after <*> ms" in texts(own)


def test_what_was_split_is_still_found_by_its_old_id(own: Path) -> None:
    old = "request <*> timed out after <*> ms"
    id = texts(own)[old]
    span = queries.Range(0, 2**52)
    place = Store.open(own)
    with place.reader() as reader:
        before = sum(queries.signal_series(reader, "payments", "log", id, _range(reader))["value"].to_pylist())
        place.append_edit(templates.constant(reader, id, 2, Author("ann")))
        parts = queries.current_templates(reader, parse_id(id))
        assert len(parts) > 1
        assert queries.template_texts(reader, [id]) == {id: old}
        assert sum(queries.signal_series(reader, "payments", "log", id, _range(reader))["value"].to_pylist()) == before
        assert queries.log_rows(reader, span, LogFilter(templates=tuple(parts)), 9).num_rows == 9


def _range(reader: Reader) -> queries.Range:
    newest = queries.newest(reader, 2**52)
    assert newest is not None
    return queries.Range(newest - 7_200_000_000, newest + 1)


def test_an_unknown_template_is_one_line(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTLINE_STORE", str(store))
    assert "must name one template" in said(draw(store, format_id(template_id("never seen"))))
