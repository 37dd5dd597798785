"""Two reports side by side: what changed, and whether it is more than noise.

Where both reports hold the same cases of a figure, the difference is bootstrapped case by case, and is more than noise
if its 95 % interval leaves out 0. Where they do not (single measurements, other data), nothing is claimed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from benchmarks.metrics import bootstrap
from benchmarks.report import CASES, RESULTS
from telemetry import SourceError

_KEY = ("task", "dataset", "method", "setting", "metric")
_SAME = 1e-12

Key = tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What a report folder holds."""

    meta: Mapping[str, Any]
    values: Mapping[Key, float | None]
    cases: Mapping[Key, tuple[float, Mapping[str, Any]]]


@dataclass(frozen=True)
class Change:
    """One figure in both reports. `low`, `high`: 95 % interval of the difference, None where it is not known."""

    key: Key
    a: float | None
    b: float | None
    low: float | None = None
    high: float | None = None

    @property
    def verdict(self) -> str:
        """Say in words whether it is more than noise."""
        if self.a is None or self.b is None:
            return "measured in one only"
        if self.low is None or self.high is None:
            return "no interval"
        return "more than noise" if self.low > 0 or self.high < 0 else "within noise"


def read_report(folder: Path) -> Report:
    """Read results.json and cases.json of a report. Raises SourceError."""
    try:
        document = orjson.loads((folder / RESULTS).read_bytes())
        values = {_key(row): row["value"] for row in document["results"]}
        listed = orjson.loads((folder / CASES).read_bytes())
        return Report(document["meta"], values, {_key(row): (row["scale"], row["cases"]) for row in listed})
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise SourceError(f"{folder}: no report of `faultline bench`: {type(error).__name__}: {error}") from None


def _key(row: Mapping[str, Any]) -> Key:
    return tuple(str(row[name]) for name in _KEY)


def changes(a: Report, b: Report) -> list[Change]:
    """Return the figures that both reports list and that differ, in the order of `b`."""
    found = []
    for key, after in b.values.items():
        before = a.values.get(key)
        if key not in a.values or before == after:
            continue
        if before is not None and after is not None and abs(after - before) <= _SAME * max(abs(before), 1.0):
            continue
        found.append(Change(key, before, after, *_interval(a.cases.get(key), b.cases.get(key))))
    return found


def _interval(a: Any, b: Any) -> tuple[float | None, float | None]:
    if a is None or b is None or a[1].keys() != b[1].keys() or a[0] != b[0] or len(a[1]) < 2:
        return None, None
    names = sorted(a[1])
    before, after = (np.array([side[1][name] for name in names], np.float64) for side in (a, b))
    if before.shape != after.shape:
        return None, None
    paired = before.ndim == 1
    found = bootstrap(after - before) if paired else bootstrap(np.hstack([before, after]), _ratio_difference)
    low, high = found["low"], found["high"]
    return (None, None) if low is None or high is None else (float(low) * a[0], float(high) * a[0])


def _ratio_difference(samples: Any) -> Any:
    sums = samples.sum(axis=1)
    under = np.where(sums[:, [1, 3]] != 0, sums[:, [1, 3]], np.nan)
    return sums[:, 2] / under[:, 1] - sums[:, 0] / under[:, 0]


def compare(first: Path, second: Path) -> str:
    """Return the changes from one report to the other as Markdown. Raises SourceError."""
    a, b = read_report(first), read_report(second)
    found = changes(a, b)
    lines = [f"A: {_about(a)}", f"B: {_about(b)}", ""]
    lines += [f"data of {task} differ" for task in _other_data(a, b)]
    if a.meta["machine"] != b.meta["machine"]:
        lines.append("machines differ: figures of time and memory are not to be compared")
    only = len(b.values.keys() ^ a.values.keys())
    lines.append(f"{len(found)} of {len(a.values.keys() & b.values.keys())} figures differ; {only} are in one only.")
    if found:
        lines += ["", "| task | dataset | method | setting | metric | A | B | B - A | |", "|" + "---|" * 9]
        lines += [_row(one) for one in sorted(found, key=lambda one: one.verdict != "more than noise")]
    return "\n".join(lines) + "\n"


def _about(report: Report) -> str:
    return f"revision {report.meta['revision']}, {report.meta['date']}, seed {report.meta['seed']}"


def _other_data(a: Report, b: Report) -> list[str]:
    left, right = a.meta["data"]["checksums"], b.meta["data"]["checksums"]
    return sorted(task for task in left.keys() & right.keys() if left[task] != right[task])


def _row(one: Change) -> str:
    difference = "" if one.a is None or one.b is None else f"{one.b - one.a:+.4g}"
    if one.low is not None and one.high is not None:
        difference += f" ({one.low:+.3g} to {one.high:+.3g})"
    numbers = ["-" if value is None else f"{value:.4g}" for value in (one.a, one.b)]
    return (
        "| " + " | ".join([*(part.replace("|", r"\|") for part in one.key), *numbers, difference, one.verdict]) + " |"
    )
