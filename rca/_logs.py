"""Which log templates became more frequent, and whom their text blames."""

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rca._counts import dispersion, surprise
from rca._evidence import Evidence
from rca._findings import Finding, number, strength
from rca._metrics import split
from rca._names import Names
from rca._panel import Floats, Ints, times_us
from telemetry import ERROR_SEVERITY, format_id

_WARNING = 13
_SAYS = {"error": 1.0, "warning": 0.7, "info": 0.35}
"""How much a template of this level says about the service that wrote it, as a factor on the strength."""
_MIN_Z = 2.5
_MAX_FINDINGS = 400


def log_findings(evidence: Evidence, onset: int, services: Iterable[str], load: Mapping[str, float]) -> list[Finding]:
    """Return templates that became more frequent than the load explains; role "cause", "symptom", or "blame".

    `load`: service -> how many times more it is asked than before. A "blame" finding counts against a service that an
    error of one of its callers names; the error itself is then a symptom of the service that wrote it.
    """
    logs = evidence.logs
    if not logs.num_rows:
        return []
    windows, rows = np.unique(times_us(logs), return_inverse=True)
    before, after = split(windows + evidence.step_us - 1, onset)
    if not len(before) or not len(after):
        return []
    keys, counts = _counts(logs, rows, len(windows))
    factor = np.array([max(load.get(service, 1.0), 1.0) for service, _, _ in keys])
    expected = (counts[before].sum(axis=0) + 0.5) / (len(before) + 1) * len(after) * factor
    observed = counts[after].sum(axis=0)
    z = surprise(observed, expected, dispersion(counts[before]))
    blame = Names(services, evidence.calls)
    worst = [k for k in np.argsort(-z, kind="stable")[:_MAX_FINDINGS] if z[k] >= _MIN_Z]
    found: list[Finding] = []
    for k in worst:
        text = evidence.templates.get(keys[k][1], "")
        found += _finding(keys[k], text, float(z[k]), float(expected[k]), float(observed[k]), blame)
    return found


def _counts(logs: pa.Table, rows: Ints, windows: int) -> tuple[list[tuple[str, int, int]], Floats]:
    """Return (service, template id, severity) keys in order, and their counts [window, key]."""
    severity = pc.fill_null(logs["severity_number"].cast(pa.int64()), 9)
    table = pa.table({"s": logs["service"], "t": logs["template_id"], "v": severity})
    distinct = (
        table.group_by(["s", "t", "v"])
        .aggregate([])
        .sort_by([("s", "ascending"), ("t", "ascending"), ("v", "ascending")])
    )
    keys = list(zip(*(distinct[name].to_pylist() for name in "stv"), strict=True))
    numbered = distinct.append_column("k", pa.array(np.arange(len(keys))))
    table = table.append_column("row", pa.array(rows)).append_column("n", logs["count"])
    joined = table.join(numbered, ["s", "t", "v"])
    cell = joined["row"].to_numpy() * len(keys) + joined["k"].to_numpy()
    flat = np.bincount(cell, weights=joined["n"].to_numpy(), minlength=windows * len(keys))
    return keys, np.asarray(flat, np.float64).reshape(windows, len(keys))


def _finding(
    key: tuple[str, int, int], text: str, z: float, expected: float, observed: float, blame: Names
) -> list[Finding]:
    service, template, severity = key
    level = "error" if severity >= ERROR_SEVERITY else "warning" if severity >= _WARNING else "info"
    weight = strength(z) * _SAYS[level]
    quoted = f" {text[:160]!r}" if text else ""
    words = f"{service} wrote {level} template {format_id(template)}{quoted} {number(observed)} times"
    words += f", expected {number(expected)}"
    named = blame.named(service, text) if level != "info" else []
    role = "symptom" if named or level == "info" else "cause"
    found = [Finding(service, "log", role, format_id(template), z, weight, expected, observed, words)]
    for other in named:
        says = f"{service} names {other}: {words}"
        found.append(Finding(other, "log", "blame", format_id(template), z, weight, expected, observed, says))
    return found
