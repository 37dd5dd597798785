"""Writing the files of a report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from benchmarks._figures import Figure
from benchmarks.report._html import html_page
from benchmarks.report._markdown import markdown

RESULTS = "results.json"
CASES = "cases.json"


def write_report(report: Path, meta: dict[str, Any], figures: Sequence[Figure]) -> dict[str, Any]:
    """Write results.json, cases.json, index.html and summary.md; return what results.json holds.

    results.json: `meta` (revision, versions, machine, seed, data, date, tasks, methods, not_measured) and `results`, a
    flat list of {task, dataset, method, setting, metric, value, n, low, high}; value, low and high may be null. The
    mean over data sets has the dataset "mean". `not_measured` gives the reason of each value that is null.
    cases.json: for figures made of cases, the value of each case, or [over, under] where the figure is `scale` x a
    ratio of sums.
    """
    missing = [dict(zip(_KEY, figure.key, strict=True), why=figure.why) for figure in figures if figure.why]
    document = {"meta": meta | {"not_measured": missing}, "results": [figure.row() for figure in figures]}
    cases = [
        dict(zip(_KEY, one.key, strict=True), scale=one.scale, cases=dict(one.cases)) for one in figures if one.cases
    ]
    _write(report / CASES, orjson.dumps(cases))
    _write(report / "summary.md", markdown(meta, figures).encode())
    _write(report / "index.html", html_page(meta, figures).encode())
    _write(report / RESULTS, orjson.dumps(document, option=orjson.OPT_INDENT_2))
    return document


_KEY = ("task", "dataset", "method", "setting", "metric")


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)
