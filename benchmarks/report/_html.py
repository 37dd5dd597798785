"""The page: self-contained, nothing is fetched, every text is escaped."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from benchmarks._figures import Figure
from benchmarks._methods import OURS
from benchmarks.report._markdown import about
from benchmarks.report._plot import bars
from benchmarks.report._tables import MAIN, Table, shown_first, tables

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --dim: #656d76; --line: #d0d7de; --page: #fff; --bar: #57779f;
  --ours: #c4571a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #8d96a0; --line: #30363d; --page: #0d1117;
  --bar: #7d9cc4; --ours: #f0883e; } }
body { margin: 2rem auto; max-width: 90rem; padding: 0 1rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1, h2, h3 { line-height: 1.2; } h2 { border-top: 2px solid var(--line); padding-top: 1rem; }
.dim, small { color: var(--dim); } p, dl, ul { max-width: 76rem; } svg { max-width: 70rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; margin: .5rem 0 1.5rem; font-size: 13px; }
th, td { padding: .2rem .6rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap;
  font-variant-numeric: tabular-nums; vertical-align: top; }
small { display: block; font-size: 11px; line-height: 1.2; }
tr.group td { border-top: 2px solid var(--line); } tr.ours { font-weight: 600; }
tr.ours small { font-weight: 400; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } svg .bar { fill: var(--bar); }
svg .ours { fill: var(--ours); } svg .whisker { stroke: var(--ink); stroke-width: 1.5; fill: none; }
dt { font-weight: 600; } dd { margin: 0 0 .5rem 1.5rem; }
"""


def html_page(meta: dict[str, Any], figures: Sequence[Figure]) -> str:
    """Return the report as one page of HTML."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>Faultline benchmark</title><style>{_STYLE}</style></head><body><h1>Faultline benchmark</h1>",
        f"<p><code>{escape(meta['command'])}</code></p>",
        f'<p class="dim">{escape(about(meta))}</p>',
    ]
    for task in meta["tasks"]:
        parts += _task(task, meta["methods"].get(task, {}), figures)
    versions = ", ".join(f"{name} {found}" for name, found in meta["versions"].items())
    parts.append(f'<h2>Versions</h2><p class="dim">{escape(versions)}</p></body></html>\n')
    return "\n".join(parts)


def _task(task: str, methods: dict[str, str], figures: Sequence[Figure]) -> Iterable[str]:
    found = tables(figures, task)
    first = shown_first(found)
    yield f"<h2>{escape(task)}</h2>"
    for table in first:
        yield f"<h3>{escape(table.dataset)}</h3>"
        yield _table(table)
        for metric in MAIN.get(task, ()):
            yield bars([one for one in table.figures if one.metric == metric], metric)
    rest = [table for table in found if table not in first]
    if rest:
        yield f"<details><summary>{len(rest)} data sets one by one</summary>"
        for table in rest:
            yield f"<h3>{escape(table.dataset)}</h3>{_table(table)}"
        yield "</details>"
    reasons = {(one.dataset, one.setting, one.why): None for one in figures if one.task == task and one.why}
    if reasons:
        items = "".join(
            f"<li>{escape(where)}, {escape(setting)}: {escape(why)}</li>" for where, setting, why in reasons
        )
        yield f"<h3>Not measured</h3><ul>{items}</ul>"
    texts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in methods.items())
    yield f"<h3>Methods</h3><dl>{texts}</dl>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in table.header)
    method = table.header.index("method")
    rows, group = [], None
    for row in table.rows:
        kinds = ["group"] * (row[:method] != group) + ["ours"] * (row[method] == OURS)
        rows.append(f'<tr class="{" ".join(kinds)}">' + "".join(_cells(row)) + "</tr>")
        group = row[:method]
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _cells(row: Sequence[str]) -> Iterable[str]:
    """Yield the cells, an interval on a line of its own so that many columns fit a screen."""
    for text in row:
        value, bracket, interval = text.partition(" [")
        small = f"<small>[{escape(interval)}</small>" if bracket else ""
        yield f"<td>{escape(value)}{small}</td>"
