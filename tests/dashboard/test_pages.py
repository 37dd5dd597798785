"""What the pages say, without a browser."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import dashboard
import telemetry

from . import shop

Visit = Callable[..., AppTest]
"""page, store, **query parameters -> the page as drawn."""


@pytest.fixture
def visit(store: Path, monkeypatch: pytest.MonkeyPatch) -> Visit:
    def draw(page: str, folder: Path = store, **params: str) -> AppTest:
        monkeypatch.setenv("FAULTLINE_STORE", str(folder))
        app = AppTest.from_file(str(Path(dashboard.__file__).with_name("_app.py")), default_timeout=30)
        if page != "overview":
            app.run()
            app.switch_page(f"screens/{page}.py")
        for name, value in params.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception
        return app

    return draw


def words(app: AppTest) -> str:
    return "\n".join(element.value for element in app.html if not element.value.startswith("<style"))


def test_overview_says_what_is_broken_since_when_and_who_is_suspected(visit: Visit) -> None:
    shown = words(visit("overview"))
    assert "Suspected root cause: <b>payments</b>" in shown
    assert "payments: cpu_utilization and 3 more services" in shown
    assert "Not enough evidence to name a root cause" in shown
    assert "6 min ago" in shown or "7 min ago" in shown or "8 min ago" in shown
    assert shown.index("payments: cpu") < shown.index("search: cpu") < shown.index("Open incidents")


@pytest.mark.parametrize("length", ["15 min", "Everything"])
def test_overview_over_other_ranges(visit: Visit, length: str) -> None:
    app = visit("overview")
    app.segmented_control(key="range").set_value(length).run()
    assert not app.exception
    assert "Services, most anomalies first" in words(app)


def test_the_list_of_incidents_filters_by_status(visit: Visit) -> None:
    app = visit("incidents")
    assert words(app).count("fl-row-title") == 3
    app.segmented_control(key="status").set_value("Resolved").run()
    assert words(app).count("fl-row-title") == 1
    assert "for 12 min" in words(app)


def test_an_incident_by_link_shows_ranking_evidence_and_history(visit: Visit) -> None:
    app = visit("incidents", incident=shop.ROOT_CAUSE_ID)
    shown = words(app)
    for text in (
        "Root cause",
        "62 %",
        "confidence 86 %",
        "payments → orders → api → gateway",
        "+00:20",
        "Service joined",
    ):
        assert text in shown
    assert "cpu_utilization rose from 0.30 to 0.88" in shown
    assert "156 anomalies" in shown
    assert len(app.dataframe[0].value) == 156


def test_another_suspect_shows_its_own_evidence(visit: Visit) -> None:
    app = visit("incidents", incident=shop.ROOT_CAUSE_ID)
    app.pills[0].set_value("orders").run()
    assert not app.exception
    assert "request &lt;*&gt; timed out after &lt;*&gt; ms" in words(app)
    assert "cpu_utilization rose" not in words(app)


def test_an_incident_without_enough_evidence_says_so(visit: Visit) -> None:
    shown = words(visit("incidents", incident=shop.UNSURE_ID))
    assert "Not enough evidence to name a root cause" in shown
    assert "No service stands out" in shown
    assert "on request &lt;*&gt; timed out after" in shown
    assert "Suspected root cause" not in shown


def test_an_incident_that_was_never_ranked(visit: Visit) -> None:
    assert "Not ranked yet" in words(visit("incidents", incident=shop.RESOLVED_ID))


@pytest.mark.parametrize("incident", ["nonsense", "<script>alert(1)</script>", "'; DROP TABLE incidents", ""])
def test_a_link_to_no_incident(visit: Visit, incident: str) -> None:
    shown = words(visit("incidents", incident=incident))
    assert "This store has no incident" in shown
    assert "<script" not in shown


def test_hostile_text_is_escaped_wherever_it_is_shown(visit: Visit) -> None:
    for app in (visit("incidents"), visit("incidents", incident=shop.RESOLVED_ID)):
        assert "&lt;img src=x onerror=" in words(app)
        assert "<img" not in words(app)
        assert not [m.value for m in app.markdown if "evil" in m.value]


def test_templates_with_counts(visit: Visit) -> None:
    table = visit("logs").dataframe[0].value
    assert {"Records", "Template", "First seen", "Last seen"} <= set(table.columns)
    assert table["Records"].is_monotonic_decreasing


def test_templates_can_be_edited(visit: Visit) -> None:
    app = visit("logs")
    app.toggle(key="editing").set_value(True).run()
    assert not app.exception
    assert "Select in the table the templates to edit" in words(app)


def test_search_narrows_templates_and_records(visit: Visit) -> None:
    app = visit("logs", q="timed OUT", service="payments")
    assert set(app.dataframe[0].value["Template"]) == {shop.TEMPLATES[3][1]}
    app.segmented_control(key="shown").set_value("Records").run()
    assert set(app.dataframe[0].value["Service"]) == {"payments"}
    app.text_input(key="q").set_value("no such words").run()
    assert not app.dataframe
    assert "No record matches" in words(app)


def test_records_of_a_template_by_link(visit: Visit) -> None:
    app = visit("logs", template=telemetry.format_id(telemetry.template_id(shop.TEMPLATES[2][1])))
    assert app.code[0].value == shop.TEMPLATES[2][1]
    assert app.dataframe[0].value["Message"].str.match(r"retry \d+ of 3 after \d+ ms").all()


def test_a_link_to_no_template(visit: Visit) -> None:
    assert "zzz is not a template id" in words(visit("logs", template="zzz"))


@pytest.mark.parametrize("page", ["overview", "incidents", "logs"])
def test_an_empty_store_says_what_to_do(visit: Visit, empty_store: Path, page: str) -> None:
    app = visit(page, empty_store)
    assert "The store is empty so far." in words(app)
    assert "faultline demo" in app.code[0].value


@pytest.mark.parametrize("page", ["overview", "incidents", "logs"])
def test_a_missing_store_is_one_line(visit: Visit, tmp_path: Path, page: str) -> None:
    app = visit(page, tmp_path / "nothing")
    assert f"There is no store at {tmp_path}/nothing yet." in words(app)


def test_a_broken_store_is_one_line(visit: Visit, tmp_path: Path) -> None:
    for name in telemetry.TABLES:
        (tmp_path / name / "_delta_log").mkdir(parents=True)
    assert "The store cannot be read right now" in words(visit("overview", tmp_path))


def test_pause_stops_the_ticking(visit: Visit) -> None:
    app = visit("overview")
    app.toggle(key="paused").set_value(True).run()
    assert not app.exception
