"""The accuracy report on simulated faults: the shipped pipeline, seed by seed, beside an N-sigma baseline.

Each seed is simulated into files twice, with faults and without, read by the same pipeline that `faultline run` uses,
and judged against the truth afterwards. Seeds are independent and run in parallel.
"""

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import orjson

from faultline.scorecard import Blamed, Outcome, judge, rate, summarise

if TYPE_CHECKING:
    from faultline.settings import Settings
    from storage import Reader

QUIET_HOURS = 3.7
"""Fault-free hours simulated per seed, after `WARM_UP_S`."""
WARM_UP_S = 3600.0
BEGAN = datetime(2026, 1, 5, tzinfo=UTC)
"""Where simulated time begins: a Monday midnight, so that a seed means the same on any day."""

BASELINE_SIGMA = 6.0
BASELINE_HISTORY = 360  # points of 5 s: 30 min
BASELINE = (
    f"N-sigma: alarms where one metric of a service is more than {BASELINE_SIGMA:g} standard deviations from its mean "
    f"over the last {BASELINE_HISTORY} points, two points running; alarms less than 5 min apart are one incident. It "
    "ranks services, given the exact start and end of each fault, by the largest |mean after - mean before| / sd."
)


@dataclass(frozen=True)
class SeedResult:
    """One seed: outcomes of ours and of the baseline for the same faults, and incidents in fault-free hours."""

    seed: int
    ours: list[Outcome]
    baseline: list[Outcome]
    quiet_hours: float
    quiet_incidents: int
    quiet_baseline: int
    stray_incidents: int  # during the run with faults, but of no fault
    lines: int


def run_report(
    seeds: Sequence[int], report: Path, settings: "Settings", on_progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Run all seeds and return what report.json holds; it and report.md in `report` grow with each seed done."""
    import os

    results: list[SeedResult] = []
    document: dict[str, Any] = {}
    report.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(max_workers=min(len(seeds), os.cpu_count() or 1)) as pool:
        futures = [pool.submit(run_seed, seed, settings) for seed in seeds]
        for future in as_completed(futures):
            results.append(future.result())
            document = _document(sorted(results, key=lambda result: result.seed))
            (report / "report.json").write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
            (report / "report.md").write_text(_markdown(document), encoding="utf-8")
            if on_progress:
                on_progress(len(results), len(seeds))
    return document


def run_seed(seed: int, settings: "Settings") -> SeedResult:
    """Simulate and judge one seed."""
    import simulation

    faults = simulation.report_schedule(seed)
    with _run(seed, faults, simulation.report_seconds(seed), settings) as busy:
        incidents, metrics, lines = blamed(busy.reader), _metrics(busy.reader), busy.lines
    spans = [(fault, BEGAN.timestamp() + fault.start, BEGAN.timestamp() + fault.end) for fault in faults]
    ours = [judge(fault.truth(BEGAN), start, end, incidents) for fault, start, end in spans]
    alarms = metrics.alarms()
    baseline = [_baseline(fault.truth(BEGAN), start, end, metrics, alarms) for fault, start, end in spans]
    strays = sum(not any(start <= i.opened <= end + 300 for _, start, end in spans) for i in incidents)
    with _run(seed + 1_000_000, [], WARM_UP_S + QUIET_HOURS * 3600, settings) as quiet:
        since = BEGAN.timestamp() + WARM_UP_S
        false = sum(incident.opened >= since for incident in blamed(quiet.reader))
        false_baseline = sum(alarm >= since for alarm in _metrics(quiet.reader).alarms())
        lines += quiet.lines
    return SeedResult(seed, ours, baseline, QUIET_HOURS, false, false_baseline, strays, lines)


class _run:
    """Simulate into a temporary folder and run the pipeline over it; a context manager that cleans up."""

    def __init__(self, seed: int, faults: Sequence[Any], seconds: float, settings: "Settings") -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="faultline-report-"))
        self._arguments = seed, faults, seconds, settings

    def __enter__(self) -> "_run":
        from faultline.pipeline import run_pipeline
        from ingest import FilesSource
        from simulation import FilesSink, simulate
        from storage import Store

        seed, faults, seconds, settings = self._arguments
        telemetry = self._folder / "telemetry"
        with FilesSink(telemetry) as sink:
            simulate(sink, start=BEGAN, seconds=round(seconds), seed=seed, faults=faults)
        store = Store.open(self._folder / "store")
        source = FilesSource([telemetry], once=True)
        accounting = run_pipeline(source, store, settings, once=True, stop=threading.Event())
        shutil.rmtree(telemetry)
        self.lines = accounting.total.read
        self.reader = store.reader()
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def blamed(reader: "Reader") -> list[Blamed]:
    """Return all incidents of a store in order of opening, with their last ranking."""
    incidents = reader.query(
        "SELECT id, epoch_us(opened) / 1e6 AS opened, services, verdict FROM incidents ORDER BY opened, id"
    ).to_pylist()
    suspects: dict[str, list[dict[str, Any]]] = {}
    for row in reader.query("SELECT incident_id, service, role FROM suspects ORDER BY incident_id, rank").to_pylist():
        suspects.setdefault(row["incident_id"], []).append(row)
    return [
        Blamed(
            incident["id"],
            incident["opened"],
            tuple(incident["services"]),
            tuple(row["service"] for row in suspects.get(incident["id"], [])),
            next((row["service"] for row in suspects.get(incident["id"], []) if row["role"] == "root_cause"), None),
        )
        for incident in incidents
    ]


@dataclass(frozen=True)
class _Metrics:
    """All metric series on one grid: `times` in seconds, `values` of shape (times, series), NaN where missing."""

    times: npt.NDArray[np.float64]
    services: list[str]
    values: npt.NDArray[np.float64]

    def alarms(self) -> list[float]:
        """Return when the baseline opens an incident, in seconds since the epoch."""
        mean, sd = _trailing(self.values, BASELINE_HISTORY)
        with np.errstate(invalid="ignore", divide="ignore"):
            beyond = np.abs(self.values - mean) > BASELINE_SIGMA * sd
        twice = (beyond[1:] & beyond[:-1]).any(axis=1)
        opened: list[float] = []
        last = -np.inf
        for time in self.times[1:][twice].tolist():
            if time - last > 300:
                opened.append(time)
            last = time
        return opened

    def ranking(self, start: float, end: float) -> list[str]:
        """Return services by their largest deviation in [start, end) from the 30 min before."""
        before = self.values[(self.times >= start - 1800) & (self.times < start)]
        after = self.values[(self.times >= start) & (self.times < end)]
        sd = np.nanstd(before, axis=0)
        shift = np.abs(np.nanmean(after, axis=0) - np.nanmean(before, axis=0))
        score = np.where(sd > 0, shift / np.where(sd > 0, sd, 1.0), 0.0)
        best: dict[str, float] = {}
        for service, value in zip(self.services, score.tolist(), strict=True):
            best[service] = max(best.get(service, 0.0), value)
        return sorted(best, key=lambda service: (-best[service], service))


def _trailing(values: npt.NDArray[np.float64], width: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return mean and deviation of the `width` rows before each row; NaN until there are that many."""
    filled = np.nan_to_num(values - np.nanmean(values, axis=0))
    nothing = np.zeros((1, filled.shape[1]))
    sums = np.vstack([nothing, np.cumsum(filled, axis=0)])
    squares = np.vstack([nothing, np.cumsum(filled**2, axis=0)])
    mean = np.full_like(values, np.nan)
    sd = np.full_like(values, np.nan)
    mean[width:] = (sums[width:-1] - sums[: -width - 1]) / width
    variance = (squares[width:-1] - squares[: -width - 1]) / width - mean[width:] ** 2
    sd[width:] = np.sqrt(np.maximum(variance, 0))
    return mean + np.nanmean(values, axis=0), sd


def _metrics(reader: "Reader") -> _Metrics:
    table = reader.query(
        "SELECT epoch_us(time) AS t, service, metric, value FROM metrics ORDER BY service, metric, time"
    )
    times, row = np.unique(table["t"].to_numpy(), return_inverse=True)
    series = [f"{s}\0{m}" for s, m in zip(table["service"].to_pylist(), table["metric"].to_pylist(), strict=True)]
    names, column = np.unique(series, return_inverse=True)
    values = np.full((len(times), len(names)), np.nan)
    values[row, column] = table["value"].to_numpy()
    return _Metrics(times / 1e6, [name.split("\0")[0] for name in names.tolist()], values)


def _baseline(fault: dict[str, Any], start: float, end: float, metrics: _Metrics, alarms: Iterable[float]) -> Outcome:
    """Judge the baseline. Its ranking is given the exact onset whether it noticed anything or not, and it always
    names its first service, so it is never right about a surge."""
    order = tuple(metrics.ranking(start, end))
    noticed = judge(fault, start, end, [Blamed(str(alarm), alarm, (), order, order[0]) for alarm in alarms])
    if fault["service"] is None:
        return noticed
    rank = order.index(fault["service"]) + 1 if fault["service"] in order else None
    return replace(noticed, rank=rank, right=rank == 1)


def _all(results: Sequence[SeedResult], which: str) -> list[Outcome]:
    return [outcome for result in results for outcome in getattr(result, which)]


def _document(results: Sequence[SeedResult]) -> dict[str, Any]:
    hours = sum(result.quiet_hours for result in results)
    return {
        "seeds": [result.seed for result in results],
        "baseline": BASELINE,
        "lines": sum(result.lines for result in results),
        "ours": summarise(_all(results, "ours")),
        "nsigma": summarise(_all(results, "baseline")),
        "false_incidents_per_24h": {
            "ours": rate(sum(result.quiet_incidents for result in results), hours),
            "nsigma": rate(sum(result.quiet_baseline for result in results), hours),
        },
        "stray_incidents": sum(result.stray_incidents for result in results),
        "outcomes": [{"seed": r.seed, **asdict(outcome)} for r in results for outcome in r.ours],
    }


def _markdown(document: dict[str, Any]) -> str:
    lines = [
        "# Accuracy on simulated faults",
        "",
        f"Seeds {', '.join(map(str, document['seeds']))}. 95 % intervals in brackets.",
        "Undetected counts as wrong. Surge: right = nobody called root cause.",
        f"{document['baseline']}",
        "",
        "| fault | severity | n | detected | median s to detect | AC@1 | AC@3 | N-sigma detected | N-sigma AC@1 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for ours, base in zip(document["ours"], document["nsigma"], strict=True):
        delay = "-" if ours["delay_s"] is None else f"{ours['delay_s']:.0f}"
        cells = [ours["kind"], ours["severity"], str(ours["n"]), _share(ours["detected"]), delay]
        cells += [_share(ours["ac1"]), _share(ours["ac3"]), _share(base["detected"]), _share(base["ac1"])]
        lines.append("| " + " | ".join(cells) + " |")
    false = document["false_incidents_per_24h"]
    lines += ["", f"False incidents per 24 fault-free hours: {_rate(false['ours'])}; N-sigma {_rate(false['nsigma'])}."]
    lines += [f"Incidents of no fault during the runs with faults: {document['stray_incidents']}.", ""]
    return "\n".join(lines)


def _share(value: dict[str, Any]) -> str:
    return "-" if value["value"] is None else f"{value['value']:.2f} [{value['low']:.2f}, {value['high']:.2f}]"


def _rate(value: dict[str, Any]) -> str:
    interval = f"[{value['low']:.2f}, {value['high']:.2f}]"
    return f"{value['value']:.2f} {interval} ({value['n']} in {value['hours']:g} h)"
