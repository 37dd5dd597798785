"""Figures as tables of text: what the page and the summary both show."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks._figures import MEAN, Figure

MAIN = {
    "parsing": ("ga", "pa", "fga", "fta"),
    "detection": ("nab_standard", "vus_pr", "pate"),
    "sessions": ("f1",),
    "rca": ("service_avg@5",),
    "throughput": ("ratio:lines_per_s", "ratio:seconds"),
}
"""The figures of a task that are drawn, besides standing in its tables."""

ONE_TABLE = ("throughput",)

_FEW = 8
"""Data sets up to this many are all shown in the summary; of more only the mean."""


@dataclass(frozen=True)
class Table:
    """One data set of a task: a row a setting and method, a column a metric."""

    task: str
    dataset: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    figures: tuple[Figure, ...]


def tables(figures: Sequence[Figure], task: str) -> list[Table]:
    """Return a task's tables, that of the mean first, then by data set in order of appearance.

    Measurements of one row or two each (throughput) stand in one table, named by a column.
    """
    mine = [one for one in figures if one.task == task]
    names = list(dict.fromkeys(one.dataset for one in mine))
    if task in ONE_TABLE:
        return [_table(task, "all", mine, ("dataset",))] if mine else []
    names.sort(key=lambda name: name != MEAN)
    return [_table(task, name, [one for one in mine if one.dataset == name]) for name in names]


def shown_first(found: Sequence[Table]) -> list[Table]:
    """Return the tables for a summary: all of them where they are few, else those of the mean."""
    return list(found) if len(found) <= _FEW else [one for one in found if one.dataset == MEAN]


def _table(task: str, dataset: str, figures: Sequence[Figure], named: tuple[str, ...] = ()) -> Table:
    measured = [one for one in figures if one.value is not None] or figures
    metrics = list(dict.fromkeys(one.metric for one in measured))  # the reasons of others are listed below the tables
    metrics.sort(key=lambda metric: metric in ("seconds", "evidence_seconds"))
    columns = (*named, "setting", "method")
    lines: dict[tuple[str, ...], dict[str, Figure]] = {}
    for one in figures:
        lines.setdefault(tuple(getattr(one, column) for column in columns), {})[one.metric] = one
    groups = list(dict.fromkeys(line[:-1] for line in lines))
    ordered = sorted(lines.items(), key=lambda line: groups.index(line[0][:-1]))
    rows = tuple((*key, _count(cells.values()), *(cell(cells.get(m)) for m in metrics)) for key, cells in ordered)
    return Table(task, dataset, (*columns, "n", *metrics), rows, tuple(figures))


def _count(figures: Iterable[Figure]) -> str:
    counts = sorted({one.n for one in figures if one.value is not None})
    return "–" if not counts else f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"


def cell(figure: Figure | None) -> str:
    """Return a figure with its interval as text; a blank where there is none, words where it was not measured."""
    if figure is None:
        return ""
    if figure.value is None:
        return "not measured"
    text = number(figure.value)
    if figure.low is None or figure.high is None:
        return text
    return f"{text} [{number(figure.low)}, {number(figure.high)}]"


def number(value: float) -> str:
    """Return a number with as many digits as people can use."""
    if value == 0 or abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if 0.01 <= abs(value) < 10 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2g}"
