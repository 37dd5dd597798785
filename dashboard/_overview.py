"""Overview: what is broken, since when and who is suspected; then load, errors, anomalies and services."""

from typing import Any

import streamlit as st

from dashboard import _charts as charts
from dashboard import _queries as queries
from dashboard import _view as view
from dashboard._words import SECOND_US, age, clock, escaped, number, plural, tag

_LIST = 4
_SERVICES = 8


def render() -> None:
    """Draw the page: a headline and figures every 2 s, charts and services every 5 s."""
    reader = view.opened()
    if reader is None:
        return
    minutes = _controls()
    view.live(lambda: _headline(reader, minutes), 2)
    view.live(lambda: _panels(reader, minutes), 5)


def _controls() -> int:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        label = st.segmented_control(
            "Range", list(view.RANGES), default="1 hour", key="range", label_visibility="collapsed", required=True
        )
        st.toggle("Pause", key="paused", help="Stops all updates, so that charts stay as they are.", width="content")
    return view.RANGES[label or "1 hour"]


def _headline(reader: queries.Reads, minutes: int) -> None:
    at = view.read_clock(reader)
    if at is None:
        view.nothing_yet("The store is empty so far.")
        return
    found = queries.incidents(reader, 50)
    unresolved = [incident for incident in found if incident["status"] != "resolved"]
    if unresolved:
        _broken(unresolved, at)
    else:
        _calm(found, at)
    _figures(reader, at, view.chosen_range(reader, at, minutes), len(unresolved))


def _calm(found: list[dict[str, Any]], at: view.Clock) -> None:
    last = f"The last incident began {at.ago(found[0]['onset'])}." if found else "There has been none so far."
    view.show(
        tag("div", "No open incidents", css="fl-title"),
        tag("div", escaped(last), css="fl-line fl-soft"),
        css="fl fl-card calm",
    )


def _broken(unresolved: list[dict[str, Any]], at: view.Clock) -> None:
    others = unresolved[1 : 1 + _LIST]
    first, rest = st.columns([3, 2]) if others else (st.container(), None)
    with first:
        _lead(unresolved[0], at)
    if rest is not None:
        with rest:
            for incident in others:
                incident_row(incident, at)
            if len(unresolved) > 1 + _LIST:
                st.page_link("screens/incidents.py", label=f"All {len(unresolved)} open incidents")


def _lead(incident: dict[str, Any], at: view.Clock) -> None:
    suspect = _suspect(incident)
    affected = ", ".join(incident["services"])
    view.show(
        tag("div", view.incident_chips(incident), view.since_line(incident, at)),
        tag("div", escaped(incident["title"], 160), css="fl-title"),
        tag("div", view.verdict_line(incident, suspect), css="fl-line"),
        tag("div", escaped(f"Affected: {affected}", 300), css="fl-line fl-soft"),
        css=f"fl fl-card {view.incident_css(incident)}",
    )
    _link(incident, "Suspects, evidence and timeline →")


def _suspect(incident: dict[str, Any]) -> dict[str, Any] | None:
    if incident["suspect"] is None:
        return None
    return {"service": incident["suspect"], "signal": incident["signal"], "share": incident["share"]}


def _link(incident: dict[str, Any], label: str) -> None:
    st.page_link("screens/incidents.py", label=label, query_params={"incident": incident["id"]})


def incident_row(incident: dict[str, Any], at: view.Clock) -> None:
    """Draw an incident as one row of a list, with a link to its page."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False):
        view.show(
            tag("div", view.incident_chips(incident), view.since_line(incident, at)),
            tag("div", escaped(incident["title"], 110), css="fl-row-title"),
            tag("div", view.verdict_line(incident, _suspect(incident)), css="fl-note"),
            css=f"fl fl-bar-left {view.incident_css(incident)}",
        )
        _link(incident, "Details")


def _figures(reader: queries.Reads, at: view.Clock, span: queries.Range, unresolved: int) -> None:
    load, odd = queries.log_load(reader, span), queries.anomaly_load(reader, span)
    errors, records = _total(load, ["error"]), _total(load, ["info", "warn", "error"])
    anomalies = _total(odd, ["metric", "log", "span"])
    minutes = max(1.0, (span.until - span.since) / queries.MINUTE_US)
    dead = queries.dead_letters(reader)
    fresh = age(at.newest, at.now) if at.live else clock(at.newest)
    shown = [
        ("Open incidents", f"{unresolved}", "bad" if unresolved else ""),
        ("Log records a minute", number(records / minutes), ""),
        ("Error records a minute", number(errors / minutes), ""),
        ("Anomalies in this range", f"{anomalies:,}", "odd" if anomalies else ""),
        ("Newest data", fresh, "" if at.live and at.now - at.newest < 120 * SECOND_US else "odd"),
        *([("Records not readable", f"{dead:,}", "odd")] if dead else []),
    ]
    view.show(*[_figure(*each) for each in shown], css="fl fl-figures")


def _total(table: Any, names: list[str]) -> int:
    return sum(sum(value or 0 for value in table.column(name).to_pylist()) for name in names)


def _figure(label: str, value: str, css: str) -> str:
    small = "font-size:1.05rem" if len(value) > 12 else ""
    return tag(
        "div", tag("div", escaped(label), css="fl-note"), tag("div", escaped(value), css="value fl-num", style=small),
        css=f"fl-figure {css}",
    )  # fmt: skip


def _panels(reader: queries.Reads, minutes: int) -> None:
    at = view.read_clock(reader)
    if at is None:
        return
    span = view.chosen_range(reader, at, minutes)
    onsets = [i["onset"] // 1000 for i in queries.incidents(reader, 50) if span.since <= i["onset"] < span.until]
    edges = (span.since // 1000, span.until // 1000, span.step // 1000, onsets)
    step = plural(span.step // queries.MINUTE_US, "minute")
    left, right = st.columns(2)
    with left:
        _head(f"Log records in steps of {step}")
        names = {"info": "info and below", "warn": "warnings", "error": "errors"}
        option = charts.stacked(queries.log_load(reader, span), names, charts.SEVERITY_COLOURS, *edges)
        st.echarts_chart(option, height=210, key="load", alt="Log records over time, by severity")
    with right:
        _head(f"Anomalies in steps of {step}; dashed red: an incident begins")
        names = {"metric": "metrics", "log": "logs", "span": "spans"}
        option = charts.stacked(queries.anomaly_load(reader, span), names, charts.KIND_COLOURS, *edges)
        st.echarts_chart(option, height=210, key="anomalies", alt="Anomalies over time, by kind of signal")
    _services(queries.services(reader, span).to_pylist())


def _head(text: str) -> None:
    view.show(tag("div", escaped(text), css="fl-head"))


def _services(rows: list[dict[str, Any]]) -> None:
    _head("Services, most anomalies first")
    if not rows:
        view.show(tag("div", "No service sent anything in this range.", css="fl-note"))
        return
    head = tag(
        "tr",
        *[
            tag("th", name)
            for name in ("Service", "Anomalies", "Worst score / threshold", "Error records", "Log records")
        ],
    )
    view.show(tag("table", head, *[_service_row(row) for row in rows[:_SERVICES]], css="fl-table"))
    if len(rows) > _SERVICES:
        with st.expander(f"{len(rows) - _SERVICES} more services"):
            view.show(tag("table", head, *[_service_row(row) for row in rows[_SERVICES:]], css="fl-table"))


def _service_row(row: dict[str, Any]) -> str:
    worst = f"{number(row['worst'])} ×" if row["worst"] is not None else "–"
    cells = [f"{row['anomalies']:,}", worst, f"{row['errors']:,}", f"{row['records']:,}"]
    return tag(
        "tr", tag("td", tag("b", escaped(row["service"], 60))), *[tag("td", cell, css="fl-num") for cell in cells]
    )
