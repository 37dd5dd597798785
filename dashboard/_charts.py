"""Charts as ECharts options: pure functions from Arrow tables and plain values to dicts. Times are ms, UTC."""

from typing import Any

import numpy as np
import pyarrow as pa

SERIES_POINTS = 1200
"""Points a line keeps: about twice the pixels it is drawn on."""
RED, AMBER, BLUE, GREY, VIOLET, TEAL = "#d64550", "#c98500", "#4a86d8", "#8a94a3", "#9268d6", "#1f9d94"
SEVERITY_COLOURS = {"info": BLUE, "warn": AMBER, "error": RED}
KIND_COLOURS = {"metric": BLUE, "log": VIOLET, "span": TEAL}
ROLE_COLOURS = {"root_cause": RED, "symptom": AMBER, "unclear": GREY}
_QUIET_LINE = {"lineStyle": {"color": GREY, "opacity": 0.22}}
Option = dict[str, Any]


def thin(times: np.ndarray, values: np.ndarray, points: int = SERIES_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Keep at most `points` of a series so that its peaks stay visible (MinMaxLTTB; Van Der Donckt et al., 2023).

    `times` int64 and `values` float64, same length, in order of time.
    """
    if len(values) <= points:
        return times, values
    from tsdownsample import MinMaxLTTBDownsampler

    kept = MinMaxLTTBDownsampler().downsample(times, values, n_out=points)
    return times[kept], values[kept]


def _base(height_for_legend: bool = True) -> Option:
    return {
        "useUTC": True,
        "animation": False,
        "grid": {"left": 8, "right": 12, "top": 30 if height_for_legend else 10, "bottom": 4, "containLabel": True},
        "tooltip": {"trigger": "axis", "confine": True},
        "yAxis": {"type": "value", "splitNumber": 3, "splitLine": _QUIET_LINE},
    }


def _time_axis(since: int, until: int) -> Option:
    return {
        "type": "time",
        "min": since,
        "max": until,
        "splitLine": {"show": False},
        "axisLabel": {"hideOverlap": True},
        "axisLine": {"onZero": False},
    }


def _marks(onsets: list[int]) -> Option:
    return {
        "silent": True,
        "symbol": "none",
        "label": {"show": False},
        "lineStyle": {"color": RED, "type": "dashed", "width": 1.5, "opacity": 0.85},
        "data": [{"xAxis": onset} for onset in onsets],
    }


def filled(table: pa.Table, names: list[str], since: int, until: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Return every step of the range with 0 where the table has no row: times (n,) and values (n, len(names))."""
    times = np.arange(since // step * step, until, step, dtype=np.int64)
    values = np.zeros((len(times), len(names)))
    at = (table.column("t").to_numpy() - (times[0] if len(times) else 0)) // step
    inside = (at >= 0) & (at < len(times))
    for column, name in enumerate(names):
        values[at[inside], column] = table.column(name).fill_null(0).to_numpy()[inside]
    return times, values


def stacked(
    table: pa.Table,
    labels: dict[str, str],
    colours: dict[str, str],
    since: int,
    until: int,
    step: int,
    onsets: list[int],
) -> Option:
    """Counts a step as stacked bars, one colour a column of `labels`; dashed red lines where incidents began."""
    names = list(labels)
    times, values = filled(table, names, since, until, step)
    series = [
        {
            "type": "bar",
            "name": labels[name],
            "stack": "all",
            "color": colours[name],
            "barCategoryGap": "12%",
            "data": np.column_stack([times, values[:, column]]).tolist(),
        }
        for column, name in enumerate(names)
    ]
    series[-1]["markLine"] = _marks(onsets)
    return {
        **_base(),
        "legend": {"top": 0, "left": 0, "itemWidth": 12, "itemHeight": 8, "icon": "roundRect"},
        "xAxis": _time_axis(since, until),
        "series": series,
    }


def line(table: pa.Table, since: int, until: int, onset: int | None, expected: float | None, colour: str) -> Option:
    """One signal (columns t, value) as a line, what was expected of it dashed grey, the onset dashed red."""
    times, values = thin(table.column("t").to_numpy(), table.column("value").to_numpy().astype(np.float64))
    marks = _marks([onset] if onset else [])
    if expected is not None:
        marks["data"].append({"yAxis": expected, "lineStyle": {"color": GREY, "width": 1.2}})
    main = {
        "type": "line",
        "name": "observed",
        "color": colour,
        "showSymbol": len(times) < 3,
        "lineStyle": {"width": 1.8},
        "data": np.column_stack([times, values]).tolist(),
        "markLine": marks,
    }
    option = {**_base(height_for_legend=False), "xAxis": _time_axis(since, until), "series": [main]}
    option["yAxis"] = {**option["yAxis"], "scale": True}
    return option


def spread(table: pa.Table, since: int, until: int, onset: int) -> Option:
    """How anomalies spread: one row a service in order of its first anomaly, a dot an anomaly, sized by its score.

    `table`: t, service, kind, name, ratio, in order of time.
    """
    rows = table.select(["t", "service", "kind", "name", "ratio"]).to_pylist()
    order = list(dict.fromkeys(row["service"] for row in rows))
    series = []
    for (kind, colour), offset in zip(KIND_COLOURS.items(), (-5, 0, 5), strict=True):
        dots = [
            {"value": [row["t"], row["service"], row["name"]], "symbolSize": _dot(row["ratio"])}
            for row in rows
            if row["kind"] == kind
        ]
        series.append(
            {
                "type": "scatter",
                "name": kind,
                "color": colour,
                "data": dots,
                "itemStyle": {"opacity": 0.75},
                "symbolOffset": [0, offset],
            }
        )
    series[0]["markLine"] = _marks([onset])
    return {
        **_base(),
        "tooltip": {"trigger": "item", "confine": True},
        "legend": {"top": 0, "left": 0, "itemWidth": 10, "itemHeight": 10},
        "xAxis": _time_axis(since, until),
        "yAxis": {"type": "category", "inverse": True, "data": order, "splitLine": {"show": True, **_QUIET_LINE}},
        "series": series,
    }


def _dot(ratio: float | None) -> float:
    return 6.0 + 3.0 * min(2.0, max(0.0, float(np.log2(max(1.0, ratio or 1.0)))))


def call_graph(
    places: dict[str, tuple[float, float]], calls: list[dict[str, Any]], suspects: list[dict[str, Any]], dark: bool
) -> Option:
    """Services and who calls whom; suspects coloured by role and sized by share, the others small and grey.

    `places`: service -> (x, y) in 0..1. Hovering a service shows its neighbours only.
    """
    found = {suspect["service"]: suspect for suspect in suspects}
    nodes = [_node(name, place, found.get(name), dark) for name, place in sorted(places.items())]
    most = max((call["count"] for call in calls), default=1)
    links = [
        {
            "source": call["caller"],
            "target": call["callee"],
            "value": call["count"],
            "lineStyle": {
                "width": 1 + 2 * (call["count"] / most) ** 0.5,
                "color": RED if call["errors"] * 20 > call["count"] else GREY,
            },
        }
        for call in calls
        if call["caller"] in places and call["callee"] in places
    ]
    graph = {
        "type": "graph",
        "coordinateSystem": "cartesian2d",  # a layout of its own would stretch the circles with the picture
        "data": nodes,
        "links": links,
        "edgeSymbol": ["none", "arrow"],
        "edgeSymbolSize": 7,
        "lineStyle": {"opacity": 0.55, "curveness": 0.08},
        "emphasis": {"focus": "adjacency", "lineStyle": {"opacity": 1}},
        "labelLayout": {"hideOverlap": False},
    }
    axis = {"type": "value", "show": False, "min": 0, "max": 1}
    return {
        "animation": False,
        "grid": {"left": 56, "right": 60, "top": 8, "bottom": 12},
        "xAxis": axis,
        "yAxis": {**axis, "inverse": True},
        "tooltip": {"confine": True, "formatter": "{b}"},
        "series": [graph],
    }


def _node(name: str, place: tuple[float, float], suspect: dict[str, Any] | None, dark: bool) -> Option:
    text, ground = ("#e4e8ee", "#11151b") if dark else ("#1c2430", "#ffffff")
    role = suspect["role"] if suspect else None
    cause = role == "root_cause"
    return {
        "name": name,
        "value": list(place),
        "symbolSize": 12 + (26 * suspect["share"] ** 0.5 if suspect else 0),
        "itemStyle": {
            "color": ROLE_COLOURS.get(role or "", "#b4bcc8"),
            "borderColor": text if cause else "transparent",
            "borderWidth": 2 if cause else 0,
        },
        "label": {
            "show": True,
            "position": "bottom",
            "distance": 4,
            "color": text,
            "textBorderColor": ground,
            "textBorderWidth": 2,
            "fontSize": 12,
            "fontWeight": "bold" if cause else "normal",
            "width": 110,
            "overflow": "truncate",
        },
    }
