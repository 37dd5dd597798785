"""The summary for a README, a pull request or a terminal."""

import re
from collections.abc import Sequence
from typing import Any

from benchmarks._figures import Figure
from benchmarks.report._headline import HEADER, headline
from benchmarks.report._tables import shown_first, tables


def markdown(meta: dict[str, Any], figures: Sequence[Figure]) -> str:
    """Return the report's main tables as Markdown: first all in short, as for a README, then task by task."""
    lines = ["# Benchmark", "", f"`{meta['command']}`", "", about(meta), ""]
    lines += [_row(HEADER), _row(["---"] * len(HEADER)), *map(_row, headline(figures, meta["tasks"])), ""]
    for task in meta["tasks"]:
        found = tables(figures, task)
        for table in shown_first(found):
            lines += [f"## {task}: {_safe(table.dataset)}", ""]
            lines += [_row(table.header), _row(["---"] * len(table.header)), *map(_row, table.rows), ""]
        reasons = {(one.dataset, one.setting, one.why): None for one in figures if one.task == task and one.why}
        lines += [f"- not measured: {_safe(where)}, {_safe(setting)}: {_safe(why)}" for where, setting, why in reasons]
        lines += [""] if reasons else []
    return "\n".join(lines)


def about(meta: dict[str, Any]) -> str:
    """Return one sentence that says what the figures are of."""
    machine = meta["machine"]
    data = ", ".join(f"{task} {checksum}" for task, checksum in meta["data"]["checksums"].items())
    if not meta["data"].get("listed"):
        data += " (no SHA256SUMS beside them: a file missing as a whole goes unnoticed)"
    return (
        f"Revision {meta['revision']}, {meta['date']}, seed {meta['seed']}, {machine['cores']} cores "
        f"({machine['processor']}), {machine['memory_gib']} GiB. Data: {data}. Brackets: 95 % bootstrap over cases; "
        "n: how many cases a figure rests on, data sets for a mean."
    )


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_safe(text) for text in cells) + " |"


def _safe(text: str) -> str:
    """Keep hostile names from being markup: what Markdown could read as code, HTML, emphasis or a column is escaped."""
    return re.sub(r"([\\`*<>|\[\]])", r"\\\1", " ".join(text.split()))
