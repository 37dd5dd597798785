"""Logs: templates with counts, first and last seen; the records of a template; search. Log text is never rendered."""

import pyarrow as pa
import streamlit as st

from dashboard import _edits as edits
from dashboard import _queries as queries
from dashboard import _view as view
from dashboard._words import clock, escaped, plural, severity, tag, visible
from storage import LogFilter
from telemetry import format_id, parse_id

_LEAST = {"Any severity": 0, "Warnings and worse": 13, "Errors and worse": 17}
_EVERY = "All services"
_DAY_TIME = st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss", timezone="UTC")
_NARROW = {name: st.column_config.TextColumn(width="small") for name in ("Severity", "Worst", "Service")}
_TIME = st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss.SSS", timezone="UTC", width="medium")


def render() -> None:
    """Draw templates or records that match the filters; `?template=` shows the records of one template."""
    reader = view.opened()
    if reader is not None:
        view.guarded(lambda: _page(reader))


def _page(reader: queries.Reads) -> None:
    at = view.read_clock(reader)
    if at is None:
        view.nothing_yet("The store is empty so far.")
        return
    wanted, minutes = _filters(reader)
    span = view.chosen_range(reader, at, minutes)
    template = _asked_template()
    if template is not None:
        _template(reader, span, queries.current_templates(reader, template), wanted)
        return
    shown = st.segmented_control(
        "Show", ["Templates", "Records"], default="Templates", key="shown", label_visibility="collapsed", required=True
    )
    if shown == "Records":
        _records(queries.log_rows(reader, span, wanted), span)
    else:
        _templates(queries.template_counts(reader, span, wanted), span)


def _filters(reader: queries.Reads) -> tuple[LogFilter, int]:
    text, service, least, range_ = st.columns([3, 2, 2, 2])
    found = text.text_input(
        "Find text", key="q", placeholder="Words in the message", type="search", bind="query-params"
    )
    name = service.selectbox(
        "Service", [_EVERY, *queries.service_names(reader)], key="service", format_func=visible, bind="query-params"
    )
    worst = least.selectbox("Severity", list(_LEAST), key="severity", bind="query-params")
    length = range_.selectbox("Up to the newest record", list(view.RANGES), index=1, key="log-range")
    wanted = LogFilter((found or "").strip(), None if name == _EVERY else name, _LEAST[worst])
    return wanted, view.RANGES[length]


def _asked_template() -> int | None:
    asked = st.query_params.get("template")
    try:
        return parse_id(asked) if asked else None
    except ValueError:
        view.show(tag("div", escaped(f"{asked} is not a template id: want 16 hex digits", 100), css="fl-note"))
        return None


def _texts(table: pa.Table, column: str) -> pa.Array:
    return pa.array([visible(value or "") for value in table.column(column).to_pylist()], pa.string())


def _levels(table: pa.Table) -> pa.Array:
    return pa.array([severity(value) for value in table.column("severity_number").to_pylist()], pa.string())


def _counted(found: pa.Table, noun: str, how: str, span: queries.Range) -> None:
    first = "The first " if found.num_rows == queries.MAX_ROWS else ""
    text = f"{first}{plural(found.num_rows, noun)}, {how}, {clock(span.since)} to {clock(span.until)}"
    view.show(tag("div", escaped(text[0].upper() + text[1:]), css="fl-note"))


def _height(found: pa.Table, most: int) -> int:
    """Height in pixels that shows all rows, up to a most."""
    rows: int = found.num_rows
    return min(most, 38 + 35 * rows)


def _templates(found: pa.Table, span: queries.Range) -> None:
    editing = st.toggle("Edit templates", key="editing")
    how = "select those to edit" if editing else "select one to read its records"
    _counted(found, "template", f"most records first; {how}", span)
    if found.num_rows == 0:
        view.show(
            tag("div", "No template matches. Try fewer words or a longer range.", css="fl-title"), css="fl fl-card"
        )
        return
    table = pa.table(
        {
            "Records": found.column("count"),
            "Worst": _levels(found),
            "Service": _texts(found, "service"),
            "Template": _texts(found, "template"),
            "First seen": found.column("first_seen"),
            "Last seen": found.column("last_seen"),
            "Ever": found.column("total"),
        }
    )
    columns = {
        **_NARROW,
        "First seen": _DAY_TIME,
        "Last seen": _DAY_TIME,
        "Template": st.column_config.TextColumn(width="large"),
    }
    state = st.dataframe(
        table,
        hide_index=True,
        height=_height(found, 560),
        column_config=columns,
        on_select="rerun",
        selection_mode="multi-row" if editing else "single-row",
        key="templates-to-edit" if editing else "templates",
    )
    if editing:
        chosen = (found.column("template_id")[row].as_py() for row in state.selection.rows)
        edits.panel(list(dict.fromkeys(chosen)))
    elif state.selection.rows:
        st.query_params["template"] = found.column("template_id")[state.selection.rows[0]].as_py()
        st.rerun()


def _template(reader: queries.Reads, span: queries.Range, present: list[int], wanted: LogFilter) -> None:
    if st.button("← All templates"):
        del st.query_params["template"]
        st.rerun()
    texts = sorted(queries.template_texts(reader, [format_id(one) for one in present]).values())
    known = "\n".join(map(visible, texts[:20]))
    st.code(known or "This store does not know this template.", language=None, wrap_lines=True)
    narrowed = LogFilter(wanted.text, wanted.service, wanted.severity, tuple(present))
    _records(queries.log_rows(reader, span, narrowed), span)


def _records(found: pa.Table, span: queries.Range) -> None:
    _counted(found, "record", "newest first; select one to read it whole", span)
    if found.num_rows == 0:
        view.show(tag("div", "No record matches. Try fewer words or a longer range.", css="fl-title"), css="fl fl-card")
        return
    table = pa.table(
        {
            "Time (UTC)": found.column("time"),
            "Severity": _levels(found),
            "Service": _texts(found, "service"),
            "Message": _texts(found, "body"),
        }
    )
    columns = {"Time (UTC)": _TIME, **_NARROW, "Message": st.column_config.TextColumn(width="large")}
    state = st.dataframe(
        table,
        hide_index=True,
        height=_height(found, 440),
        column_config=columns,
        on_select="rerun",
        selection_mode="single-row",
        key="records",
    )
    if state.selection.rows:
        _whole(found.slice(state.selection.rows[0], 1).to_pylist()[0])


def _whole(record: dict[str, object]) -> None:
    st.code(visible(str(record["body"])), language=None, wrap_lines=True)
    facts = {
        "component": record["component"],
        "trace id": record["trace_id"],
        "template": record["template_id"],
        "from": f"{record['source']}, position {record['offset']}",
    }
    cells = [
        tag("tr", tag("td", name), tag("td", escaped(value), css="fl-code")) for name, value in facts.items() if value
    ]
    values = record["params"] if isinstance(record["params"], list) else []
    cells += [
        tag("tr", tag("td", f"parameter {i + 1}"), tag("td", escaped(v), css="fl-code")) for i, v in enumerate(values)
    ]
    view.show(tag("table", *cells, css="fl-table"))
