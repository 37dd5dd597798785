"""Incidents: the list, and one incident with its suspects, their evidence, the call graph and what happened."""

from typing import Any

import pyarrow as pa
import streamlit as st

from dashboard import _charts as charts
from dashboard import _queries as queries
from dashboard import _view as view
from dashboard._graph import layout
from dashboard._overview import incident_row
from dashboard._words import EVENTS, ROLES, SECOND_US, clock, escaped, lag, markdown, number, percent, tag, visible

_PAGE = 12
_AROUND_US = 300 * SECOND_US
_CALLS_US = 600 * SECOND_US
_MOST_NODES = 40
_CHARTS = 4
_EVIDENCE = 6
_SUSPECTS = 8
_STATUSES = {"Open": ("open", "acknowledged"), "Resolved": ("resolved",), "All": ("open", "acknowledged", "resolved")}


def render() -> None:
    """Draw the incident that `?incident=` names, else the list."""
    reader = view.opened()
    if reader is None:
        return
    wanted = st.query_params.get("incident")
    if wanted is None:
        _list(reader)
    else:
        view.guarded(lambda: _detail(reader, wanted))


def _list(reader: queries.Reads) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        chosen = st.segmented_control(
            "Status", list(_STATUSES), default="All", key="status", label_visibility="collapsed", required=True
        )
        st.toggle("Pause", key="paused", help="Stops all updates of this page.", width="content")
    view.live(lambda: _rows(reader, _STATUSES[chosen or "All"]), 3)


def _rows(reader: queries.Reads, statuses: tuple[str, ...]) -> None:
    at = view.read_clock(reader)
    if at is None:
        view.nothing_yet("The store is empty so far.")
        return
    found = [incident for incident in queries.incidents(reader) if incident["status"] in statuses]
    if not found:
        view.show(tag("div", "No incidents here", css="fl-title"), css="fl fl-card calm")
        return
    pages = -(-len(found) // _PAGE)
    page = st.pagination(pages, key="page") if pages > 1 else 1
    for incident in found[(page - 1) * _PAGE : page * _PAGE]:
        incident_row(incident, at)


def _detail(reader: queries.Reads, incident_id: str) -> None:
    st.page_link("screens/incidents.py", label="← All incidents", query_params={})
    incident, at = queries.incident(reader, incident_id), view.read_clock(reader)
    if incident is None or at is None:
        view.show(
            tag("div", escaped(f"This store has no incident {incident_id}", 80), css="fl-title"),
            tag("div", "It may be from another store, or older than the retention.", css="fl-soft"),
            css="fl fl-card",
        )
        return
    suspects = queries.suspects(reader, incident_id)
    view.live(lambda: _header(reader, incident_id, _version(incident, suspects)), 4)
    left, right = st.columns([1, 1], gap="medium")
    texts = queries.template_texts(reader, _named(suspects))
    with left:
        _ranking(incident, suspects, texts)
        suspect = _chosen(incident, suspects) if suspects else None
        if suspect:
            _evidence(suspect, texts)
    with right:
        _graph(reader, incident, suspects)
    if suspect:
        _signals(reader, incident, suspect, texts)
    odd = queries.anomalies(reader, incident_id)
    _spread(odd, incident)
    _history(reader, incident, odd, at)


def _version(incident: dict[str, Any], suspects: list[dict[str, Any]]) -> tuple[Any, ...]:
    return incident["status"], tuple(incident["services"]), suspects[0]["ranked_at"] if suspects else None


def _header(reader: queries.Reads, incident_id: str, drawn: tuple[Any, ...]) -> None:
    """Draw the head of the page; where the incident was ranked again or changed, draw the whole page again."""
    incident, at = queries.incident(reader, incident_id), view.read_clock(reader)
    if incident is None or at is None:
        return
    suspects = queries.suspects(reader, incident_id)
    if _version(incident, suspects) != drawn:
        st.rerun()
    first = _worded(suspects[0], queries.template_texts(reader, _named(suspects[:1]))) if suspects else None
    facts = f"Affected: {', '.join(incident['services'])} · opened {clock(incident['opened'], at.now)}"
    view.show(
        tag("div", view.incident_chips(incident), view.since_line(incident, at)),
        tag("div", escaped(incident["title"]), css="fl-title"),
        tag("div", view.verdict_line(incident, first), css="fl-line fl-big"),
        tag("div", escaped(facts), css="fl-line fl-soft"),
        css=f"fl fl-card {view.incident_css(incident)}",
    )


def _head(text: str, note: str = "") -> None:
    view.show(tag("span", escaped(text), css="fl-head"), " ", tag("span", escaped(note), css="fl-note"))


def _named(suspects: list[dict[str, Any]]) -> list[str]:
    """All signals that suspects and their evidence name."""
    rows = [row for suspect in suspects for row in (suspect, *suspect["evidence"])]
    return [row["signal"] for row in rows if row["signal"]]


def _worded(suspect: dict[str, Any], texts: dict[str, str]) -> dict[str, Any]:
    """The suspect with its signal as people know it: a template's text instead of its id."""
    return {**suspect, "signal": texts.get(suspect["signal"], suspect["signal"])}


def _ranking(incident: dict[str, Any], suspects: list[dict[str, Any]], texts: dict[str, str]) -> None:
    _head("Suspects", f"ranked {clock(suspects[0]['ranked_at'])}, method {suspects[0]['method']}" if suspects else "")
    if not suspects:
        view.show(
            tag("div", "Not ranked yet: this takes a few windows of data after an incident opens.", css="fl-note")
        )
        return
    if incident["verdict"] == "insufficient_evidence":
        text = "No service stands out enough to be called the root cause. This order is a hint where to look first."
        view.show(tag("div", text, css="fl-note"))
    head = tag(
        "tr", *[tag("th", name) for name in ("#", "Service", "Role", "Share of suspicion", "Most telling signal")]
    )
    view.show(tag("table", head, *[_suspect_row(suspect, texts) for suspect in suspects[:_SUSPECTS]], css="fl-table"))
    path = suspects[0]["path"]
    if len(path) > 1:
        view.show(tag("div", "How it may have spread: ", tag("b", escaped(" → ".join(path))), css="fl-note"))


def _suspect_row(suspect: dict[str, Any], texts: dict[str, str]) -> str:
    role = suspect["role"]
    meter = tag("div", tag("div", css=role, style=f"width:{max(1.0, 100 * suspect['share']):.0f}%"), css="fl-meter")
    return tag(
        "tr",
        tag("td", str(suspect["rank"]), css="fl-num"),
        tag("td", tag("b", escaped(suspect["service"], 60))),
        tag("td", view.chip(ROLES.get(role, role), role)),
        tag("td", escaped(percent(suspect["share"])), meter, css="fl-num"),
        tag("td", escaped(_worded(suspect, texts)["signal"] or "–", 60)),
    )


def _graph(reader: queries.Reads, incident: dict[str, Any], suspects: list[dict[str, Any]]) -> None:
    span = queries.Range(incident["onset"] - _CALLS_US, _last(incident) + 1)
    calls = queries.calls(reader, span)
    _head("Who calls whom", "left calls right; larger: more suspect; red line: over 5 % of calls fail")
    if not calls:
        view.show(tag("div", "No spans around the onset, so the calls between services are not known.", css="fl-note"))
        return
    kept = _kept(calls, [*incident["services"], *(suspect["service"] for suspect in suspects)])
    shown = [call for call in calls if call["caller"] in kept and call["callee"] in kept]
    places = layout(kept, [(call["caller"], call["callee"]) for call in shown])
    option = charts.call_graph(places, shown, suspects, dark=st.context.theme.type == "dark")
    st.echarts_chart(option, height=400, key="graph", alt="Call graph with the suspects in colour")


def _kept(calls: list[dict[str, Any]], involved: list[str]) -> list[str]:
    """Services to draw: those involved, then their neighbours and the busiest, up to a legible number."""
    edges = [(call["caller"], call["callee"]) for call in calls]
    seen = {name for edge in edges for name in edge}
    near = [name for edge in edges if set(edge) & set(involved) for name in edge]
    order = dict.fromkeys([*(n for n in involved if n in seen), *near, *(name for edge in edges for name in edge)])
    return list(order)[:_MOST_NODES]


def _last(incident: dict[str, Any]) -> int:
    """Newest time worth looking at: the end of a resolved incident, at most an hour after the onset."""
    onset: int = incident["onset"]
    updated: int = incident["updated"]
    return min(max(updated, onset + 120 * SECOND_US), onset + 3600 * SECOND_US)


def _chosen(incident: dict[str, Any], suspects: list[dict[str, Any]]) -> dict[str, Any]:
    by_name = {suspect["service"]: suspect for suspect in suspects[:_SUSPECTS]}
    names = list(by_name)
    chosen = st.pills(
        "Evidence against",
        names,
        default=names[0],
        key=f"suspect-{incident['id']}",
        format_func=markdown,
        required=True,
    )
    return by_name.get(chosen or names[0], suspects[0])


def _evidence(suspect: dict[str, Any], texts: dict[str, str]) -> None:
    rows = suspect["evidence"]
    if rows:
        view.show(tag("table", *[_evidence_row(row, texts) for row in rows[:_EVIDENCE]], css="fl-table"))
        if len(rows) > _EVIDENCE:
            view.show(tag("div", f"and {len(rows) - _EVIDENCE} weaker", css="fl-note"))
    else:
        text = "Nothing of its own: it is ranked through the services it is connected with."
        view.show(tag("div", text, css="fl-note"))


def _evidence_row(row: dict[str, Any], texts: dict[str, str]) -> str:
    template = texts.get(row["signal"])
    detail = [tag("div", escaped(template, 200), css="fl-code fl-soft")] if template else []
    return tag(
        "tr",
        tag("td", view.chip(row["kind"] or "other", row["kind"] or ""), css="tight"),
        tag("td", escaped(row["text"] or row["signal"] or ""), *detail),
        tag("td", escaped(f"score {number(row['score'])}"), css="right"),
    )


def _signals(reader: queries.Reads, incident: dict[str, Any], suspect: dict[str, Any], texts: dict[str, str]) -> None:
    """Draw the signals that the evidence names and the store can show, around the onset, two a row."""
    span = queries.Range(incident["onset"] - 3 * _AROUND_US, _last(incident) + _AROUND_US)
    named = {(row["kind"], row["signal"] or ""): row for row in reversed(suspect["evidence"])}
    titles = {key: queries.series_title(*key) for key in reversed(named)}
    drawn = [(named[key], title) for key, title in titles.items() if title][:_CHARTS]
    if drawn:
        _head("Signals named above", "around the onset (dashed red); dashed grey: what was expected")
    for pair in (drawn[:2], drawn[2:]):
        for column, (row, title) in zip(st.columns(2) if pair else [], pair, strict=False):
            with column:
                source = texts.get(row["signal"]) or suspect["service"]
                _signal(reader, incident, suspect["service"], row, f"{source}: {title}", span)


def _signal(
    reader: queries.Reads, incident: dict[str, Any], service: str, row: dict[str, Any], title: str, span: queries.Range
) -> None:
    kind, signal, onset = row["kind"], row["signal"], incident["onset"]
    series = queries.signal_series(reader, service, kind, signal, span)
    view.show(tag("b", escaped(title, 100)))
    if series.num_rows == 0:
        view.show(tag("div", "No points of this signal are stored around the onset.", css="fl-note"))
        return
    expected = row["expected"] if kind == "metric" else None
    edges = (span.since // 1000, span.until // 1000, onset // 1000)
    option = charts.line(series, *edges, expected, charts.KIND_COLOURS[kind])
    alt = f"{kind} signal of the suspect around the onset"
    st.echarts_chart(option, height=170, key=f"signal-{kind}-{signal}", alt=alt)
    if kind == "log" and queries.is_template(signal):
        st.page_link("screens/logs.py", label="Read these records", query_params={"template": signal})


def _spread(odd: pa.Table, incident: dict[str, Any]) -> None:
    _head("How it spread", f"{odd.num_rows:,} anomalies, larger: further over the threshold; dashed red: onset")
    if odd.num_rows == 0:
        return
    times: list[int] = odd.column("t").to_pylist()
    onset = incident["onset"] // 1000
    since, until = min(times[0], onset) - 60_000, max(times[-1], onset) + 60_000
    rows = len(set(odd.column("service").to_pylist()))
    option = charts.spread(odd, since, until, onset)
    st.echarts_chart(option, height=90 + 26 * min(rows, 30), key="spread", alt="Anomalies by service and time")


def _history(reader: queries.Reads, incident: dict[str, Any], odd: pa.Table, at: view.Clock) -> None:
    events = queries.events(reader, incident["id"])
    _head("What happened", f"onset {clock(incident['onset'])}")
    rows = [_event_row(event, incident["onset"], at.now) for event in events]
    view.show(tag("table", *rows, css="fl-table"))
    if odd.num_rows:
        with st.expander(f"All anomalies of this incident ({odd.num_rows:,})"):
            st.dataframe(_anomaly_table(odd), hide_index=True, height=320, key="anomaly-table")


def _event_row(event: dict[str, Any], onset: int, now: int) -> str:
    offset = lag(event["time"] - onset)
    who = "" if event["actor"] == "faultline" else f" by {event['actor']}"
    return tag(
        "tr",
        tag("td", escaped(clock(event["time"], now)), css="tight fl-num"),
        tag("td", escaped(offset), css="tight fl-num fl-soft"),
        tag("td", tag("b", escaped(EVENTS.get(event["kind"], event["kind"]) + who)), css="tight"),
        tag("td", escaped(event["detail"])),
    )


def _anomaly_table(odd: pa.Table) -> pa.Table:
    def texts(name: str) -> pa.Array:
        return pa.array([visible(value or "") for value in odd.column(name).to_pylist()], pa.string())

    return pa.table(
        {
            "Time (UTC)": odd.column("t").cast(pa.timestamp("ms")),
            "Service": texts("service"),
            "Kind": texts("kind"),
            "Signal": texts("name"),
            "Score": odd.column("score"),
            "Threshold": odd.column("threshold"),
            "Why": texts("explanation"),
        }
    )
