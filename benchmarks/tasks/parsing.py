"""Log parsing: GA, PA, FGA and FTA by template text, from messages and from raw lines.

Truth: Loghub-2.0's for the 2,000 lines of a system where it has that system, else Loghub's as corrected by Khan et al.
(ICSE 2022); all systems are also scored on the corrected truth alone. A method gets all lines of one system at once,
one setting for all systems, and never the truth.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks._figures import MEAN, Figure, Place
from benchmarks._methods import OURS, Method
from benchmarks._methods import methods as _methods
from benchmarks._plan import Measured, MethodFailed, Plan, Unit
from benchmarks.baselines.drain import drain3_default, drain3_masked
from benchmarks.datasets import CORRECTED, LOGHUB2, ParsingSet, parsing_sets
from benchmarks.metrics import parsing_score

FOLDERS = ("parsing", "parsing_loghub2")
GROUP = "faultline.parsers"
METRICS = ("ga", "pa", "fga", "fta")
INPUTS = ("messages", "raw lines")


def faultline(lines: Sequence[str], headers: bool) -> list[str]:
    """What `faultline parse` does, with default settings: header formats are found from the lines themselves (for
    messages: `--format message`), templates are the final ones."""
    from faultline.lines import parse_file
    from parsing import ParserSettings

    settings = ParserSettings() if headers else replace(ParserSettings(), format="message")
    with tempfile.TemporaryDirectory(prefix="faultline-bench-") as folder:
        path = Path(folder) / "input.log"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        rows = parse_file(path, "input", settings).rows
    return list(rows["template"].to_pylist())


def _all() -> dict[str, Method]:
    own = {OURS: faultline, "Drain3 default": drain3_default, "Drain3 masked": drain3_masked}
    return _methods(GROUP, own)


def methods() -> dict[str, str]:
    """Return what each method does."""
    return {name: method.text for name, method in _all().items()}


@lru_cache(maxsize=1)
def _sets(data: Path) -> dict[tuple[str, str], ParsingSet]:
    versions = [CORRECTED] + ([LOGHUB2] if (data / "parsing_loghub2").is_dir() else [])
    return {(one.system, one.truth): one for truth in versions for one in parsing_sets(data, truth)}


def units(plan: Plan) -> list[Unit]:
    """List the work: each system, truth, method and input."""
    return [
        Unit("parsing", system, truth, name, kind)
        for system, truth in _sets(plan.data)
        for name in _all()
        for kind in INPUTS
    ]


def measure(unit: Unit, plan: Plan) -> dict[str, Any]:
    """Parse one system with one method and score the templates."""
    found = _sets(plan.data)[unit.dataset, unit.case]
    raw = unit.setting == "raw lines"
    lines = (found.lines if raw else found.messages).to_pylist()
    templates = _all()[unit.method](unit.label, lines, raw)
    if len(templates) != len(lines):
        raise MethodFailed(
            f"method {unit.method!r} gave {len(templates)} templates for {len(lines)} lines: {unit.label}"
        )
    return asdict(parsing_score(found.templates, pa.array(templates, pa.string())))


def figures(found: Measured, plan: Plan) -> list[Figure]:
    """Return the figures of each system and their mean, for the preferred truth and for the corrected one."""
    systems = {unit.dataset for unit, _ in found}
    better = {unit.dataset for unit, _ in found if unit.case == LOGHUB2}
    preferred = {(system, LOGHUB2 if system in better else CORRECTED) for system in systems}
    groups: dict[tuple[str, str, str], dict[str, dict[str, Any]]] = {}
    for unit, score in found:
        truths = [CORRECTED] if unit.case == CORRECTED and better else []
        truths += [_name(better, systems)] if (unit.dataset, unit.case) in preferred else []
        for truth in truths:
            groups.setdefault((unit.method, unit.setting, truth), {})[unit.dataset] = score
    result = []
    for (method, kind, truth), scores in groups.items():
        setting = f"{kind}, truth {truth}"
        for metric in METRICS:
            values = {system: score[metric] for system, score in scores.items()}
            result.append(Place("parsing", MEAN, method, setting, plan.seed).mean(metric, values))
            for system, score in scores.items():
                place = Place("parsing", system, method, setting, plan.seed)
                result.append(place.one(metric, score[metric], score["scored"] if metric != "pa" else score["lines"]))
    return result


def _name(better: set[str], systems: set[str]) -> str:
    rest = sorted(systems - better)
    if not better:
        return CORRECTED
    return LOGHUB2 + (f" ({', '.join(rest)}: {CORRECTED})" if rest else "")
