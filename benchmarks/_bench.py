"""A whole run: plan the units, measure them, write the report."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import _meta
from benchmarks._methods import plugins_digest
from benchmarks._plan import Plan, Unit
from benchmarks._runner import Kept, Shown, run_units
from benchmarks.datasets import SUMS
from benchmarks.report import write_report
from benchmarks.tasks import task
from telemetry import UsageError

KEPT = "cases"


def run(names: Sequence[str], plan: Plan, report: Path, jobs: int | None, shown: Shown) -> dict[str, Any]:
    """Run the tasks of these names and write `report`; return what results.json holds.

    Raises DataError before anything runs where a data set is faulty, MethodFailed where a method fails.
    """
    if not plan.data.is_dir():
        raise UsageError(f"no such data folder: {plan.data}")
    _make(report)
    digests = {name: _meta.data_digest(plan.data, task(name).FOLDERS) for name in names}
    units: list[Unit] = []
    for name in names:
        shown(0, 0, f"reading the data of {name}")
        units += task(name).units(plan)
    code = f"{_meta.code_digest()} {plugins_digest()} {sorted(_meta.versions().items())}"
    state = f"{code} {sorted(digests.items())} {plan.seed} {plan.lines} {plan.bootstrap}"
    found = run_units(units, plan, Kept(report / KEPT, state), jobs or _cores(), shown)
    figures = []
    for name in names:
        figures += task(name).figures([pair for pair in found if pair[0].task == name], plan)
    meta = {
        "revision": _meta.revision(),
        "versions": _meta.versions(),
        "machine": _meta.machine(),
        "seed": plan.seed,
        "data": {"folder": str(plan.data), "checksums": digests, "listed": (plan.data / SUMS).exists()},
        "date": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "command": _command(names, plan, report),
        "tasks": list(names),
        "methods": {name: task(name).methods() for name in names},
    }
    return write_report(report, meta, figures)


def _command(names: Sequence[str], plan: Plan, report: Path) -> str:
    """Return what to type for such a run; of paths only their last part, which says as much to others."""
    what = names[0] if len(names) == 1 else "all"
    options = f" --seed {plan.seed}" * (plan.seed != 0) + f" --lines {plan.lines}" * (plan.lines != Plan.lines)
    options += " --bootstrap HOST:PORT" if plan.bootstrap else ""
    return f"faultline bench {what} --data {plan.data.resolve().name} --report {report.resolve().name}{options}"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _make(report: Path) -> None:
    try:
        report.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {report}: {error.strerror}") from None
