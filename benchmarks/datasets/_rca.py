"""Recorded failures with a known root cause.

`rca_cases` and `rcaeval_cases` list what a benchmark scores: the truth, the onset and where the telemetry lies. Methods
get a `Recording` only, read by `ingest`'s readers as `faultline rca` reads it, with every trace of the truth taken out:
columns of labels, the jump in time between two recordings put together, faults that came before.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

import telemetry
from benchmarks.datasets import _files
from benchmarks.datasets._check import require
from benchmarks.datasets._errors import DataError
from telemetry import FaultlineError

if TYPE_CHECKING:
    from ingest import Case

SECOND_US = 1_000_000
FAULT_US = 300 * SECOND_US
"""Nezha's faults last about four minutes; with the minute its metrics are averaged over, five are left out."""
_FRONT_DOOR = "FRONT"
_PHASES = ("normal", "anomalous")

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class RcaCase:
    """One failure and its truth. Times are microseconds since the epoch, UTC, as in `Recording`'s tables.

    `part`: the set it is reported under. `service`, `signal`: the truth; `signal` is the metric's name within the
    service, None where the source names none. `onset`: None where the source knows none: then only the setting "onset
    unknown" can be measured. `masks`: [start, end) of earlier faults in the same recording. `gaps`: [start, end) in
    which nothing was recorded; these are no outages. `not_services`: names in the tables that are no service, such as
    the whole shop's front door. `alarm`: when the source's alarm fired.
    """

    part: str
    name: str
    folder: Path
    service: str
    signal: str | None
    fault: str
    onset: int | None
    table: Path
    normal: Path | None = None
    graph: Path | None = None
    masks: Spans = ()
    gaps: Spans = ()
    not_services: tuple[str, ...] = ()
    alarm: int | None = None
    phases: bool = False  # `table` is two recordings put together, told apart by the column `phase`


@dataclass(frozen=True)
class Recording:
    """What a method may see of a case: pass it to `faultline.case.evidence_of`."""

    case: "Case"
    normal: pa.Table | None  # METRICS of normal operation
    graph: dict[tuple[str, str], float] | None  # (caller, callee) -> weight


def rca_cases(data: Path) -> list[RcaCase]:
    """List the cases below `data`/rca, set by set, each in order of its folders or faults.

    A folder there is a set: of folders with data.csv and case.json, or of days with metrics.csv and faults.json.
    Raises DataError where a file is missing or the truth does not fit the telemetry.
    """
    require(data, "rca")
    return [case for folder in _files.folders(data / "rca", "root-cause sets") for case in rca_set(folder)]


def rca_set(folder: Path) -> list[RcaCase]:
    """List the cases of one set, as `rca_cases`."""
    inside = _files.folders(folder, "cases")
    if any((one / "faults.json").exists() for one in inside):
        return [case for day in inside for case in _faults(folder.name, day)]
    _require_numbers(inside)
    return [_single(folder.name, one) for one in inside]


def _require_numbers(inside: list[Path]) -> None:
    """Cases are numbered without gaps: `carts_cpu_1`, `carts_cpu_2`, ..."""
    numbers: dict[str, set[int]] = {}
    for path in inside:
        stem, _, number = path.name.rpartition("_")
        if number.isdigit():
            numbers.setdefault(stem, set()).add(int(number))
    for stem, found in numbers.items():
        lacking = sorted(set(range(min(found | {1}), max(found) + 1)) - found)
        if lacking:
            raise DataError(f"{inside[0].parent / f'{stem}_{lacking[0]}'}: missing, {stem}_{max(found)} is there")


def _single(part: str, folder: Path) -> RcaCase:
    path = folder / "case.json"
    truth = _files.read_json(path, dict)
    table = _files.whole(folder / "data.csv")
    columns = _files.header(table)
    service = _text(path, truth, "root_cause_service")
    metric = truth.get("root_cause_metric")
    signal = None if metric is None else _signal(path, columns, service, str(metric))
    _require_service(path, columns, service)
    beside = {kind: (folder / truth[kind]).resolve() if truth.get(kind) else None for kind in ("noissue", "graph")}
    for other in beside.values():
        if other is not None:
            _files.whole(other)
    if beside["graph"] is not None:
        _require_square(beside["graph"])
    phases = "phase" in columns
    onset, alarm = _onset(path, truth, table, phases)
    fault = str(truth.get("fault") or (truth.get("target") or {}).get("metric") or "unknown")
    return RcaCase(
        part,
        folder.name,
        folder,
        service,
        signal,
        fault,
        onset,
        table,
        beside["noissue"],
        beside["graph"],
        alarm=alarm,
        phases=phases,
    )


def _require_square(path: Path) -> None:
    """A graph whose first cell is empty is a matrix: a row for each column."""
    first, *columns = (name.strip() for name in path.read_text("utf-8").partition("\n")[0].split(","))
    names = [line.partition(",")[0].strip() for line in path.read_text("utf-8").splitlines()[1:]]
    if not first and names != columns:
        raise DataError(f"{path}: {len(names)} rows for {len(columns)} columns of a call matrix: truncated or altered")


def _onset(path: Path, truth: dict[str, Any], table: Path, phases: bool) -> tuple[int | None, int | None]:
    """Return onset and alarm of a case.

    A recording that is of the failure alone, with normal operation in a table of its own (PetShop), has its onset at
    its first row: its source states only when the alarm fired.
    """
    rows = _files.read_csv(table, "time")
    times = _seconds(table, rows["time"])
    if phases:
        _require_phases(path, truth, table, rows["phase"].to_pylist())
    target = truth.get("target")
    alarm = _us(path, target, "timestamp") if isinstance(target, dict) else None
    if alarm is not None:
        return round(times[0] * SECOND_US), _within(path, alarm, times, "target timestamp")
    if "inject_time" not in truth:
        raise DataError(f"{path}: no inject_time, want seconds since the epoch, or null where it is not known")
    if truth["inject_time"] is None:
        return None, None
    return _within(path, _us(path, truth, "inject_time"), times, "inject_time"), None


def _require_phases(path: Path, truth: dict[str, Any], table: Path, phases: list[str]) -> None:
    for kind, key in zip(_PHASES, ("normal_rows", "anomalous_rows"), strict=True):
        count, stated = phases.count(kind), truth.get(key)
        if not count or stated not in (None, count):
            raise DataError(f"{table}: {count} rows of phase {kind}, {path.name} states {stated}: truncated or altered")
    if phases != sorted(phases, key=_PHASES.index if set(phases) <= set(_PHASES) else None):
        raise DataError(f"{table}: want rows of phase normal, then of phase anomalous, found another order or phase")


def _faults(part: str, day: Path) -> list[RcaCase]:
    """List the faults of one day's recording; each gets the earlier ones as masks."""
    path = day / "faults.json"
    faults = _files.read_json(path, list)
    table = _files.whole(day / "metrics.csv")
    if (day / "dependency.csv").exists():
        _files.whole(day / "dependency.csv")
    columns = _files.header(table)
    times = _seconds(table, _files.read_csv(table, "time")["time"])
    for name, column in (("logs.parquet", "ts_ns"), ("traces.parquet", "StartTimeUnixNano")):
        if (day / name).exists():
            _require_parquet(day / name, column, times)
    gaps = _gaps(day / "removed_windows.json", times)
    starts = [_within(path, _us(path, fault, "inject_time"), times, "inject_time") for fault in faults]
    if starts != sorted(starts):
        raise DataError(f"{path}: faults are not in order of inject_time")
    found = []
    for number, (fault, start) in enumerate(zip(faults, starts, strict=True), 1):
        service = _text(path, fault, "root_cause_service")
        _require_service(path, columns, service)
        masks = tuple((earlier, min(earlier + FAULT_US, start)) for earlier in starts[: number - 1])
        found.append(
            RcaCase(
                f"{part}_{_text(path, fault, 'system')}",
                f"{day.name}#{number:02d}",
                day,
                service,
                None,
                _text(path, fault, "fault"),
                start,
                table,
                masks=masks,
                gaps=gaps,
                not_services=(_FRONT_DOOR,),
            )
        )
    return found


def _gaps(path: Path, times: npt.NDArray[np.float64]) -> Spans:
    if not path.exists():
        return ()
    found = []
    for window in _files.read_json(path, list):
        if not (isinstance(window, list) and len(window) == 2 and window[0] < window[1]):
            raise DataError(f"{path}: want [start, end] in seconds, found {str(window)[:60]}")
        if inside := times[(times >= window[0]) & (times < window[1])].tolist():
            raise DataError(f"{path}: metrics have a row at {inside[0]:.0f}, in the removed window {window}: swapped")
        found.append((window[0] * SECOND_US, window[1] * SECOND_US))
    return tuple(found)


def _require_parquet(path: Path, column: str, times: npt.NDArray[np.float64]) -> None:
    """Most of the rows are of the hours the metrics are of."""
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(_files.there(path), columns=[column])
        moments = pc.cast(rows[column].drop_null(), pa.int64()).to_numpy() / 1e9
    except (pa.ArrowException, KeyError) as error:
        raise DataError(f"{path}: damaged or truncated: {str(error).splitlines()[0]}") from None
    if not len(moments):
        raise DataError(f"{path}: no rows")
    within = int(np.count_nonzero((moments >= times[0] - 3600) & (moments <= times[-1] + 3600)))
    if 2 * within < len(moments):
        raise DataError(f"{path}: mislabelled: {within} of {len(moments)} rows are of the time of metrics.csv")


def rcaeval_cases(folder: Path) -> list[RcaCase]:
    """List the cases of an official RCAEval archive: `<service>_<fault>/<run>/` with a table and inject_time.txt.

    The table is data.csv (RE1) or simple_metrics.csv (RE2, RE3); their logs and traces are not read. The signal follows
    RCAEval's own rule: delay and loss are the service's latency, disk its disk I/O. Raises DataError.
    """
    if (folder / folder.name).is_dir():
        folder = folder / folder.name  # the archive's own top folder
    found = []
    for kind in _files.folders(folder, "kinds of failure"):
        service, _, fault = kind.name.rpartition("_")
        if not service:
            raise DataError(f"{kind}: want a folder named <service>_<fault>")
        runs = _files.folders(kind, "runs")
        numbers = {int(run.name) for run in runs if run.name.isdigit()}
        if lacking := sorted(set(range(1, max(numbers, default=1) + 1)) - numbers):
            raise DataError(f"{kind / str(lacking[0])}: missing, run {max(numbers, default=1)} is there")
        found += [_rcaeval_case(folder.name, run, service, fault) for run in runs]
    return found


_RCAEVAL_SIGNALS = {
    "cpu": ("cpu",),
    "mem": ("mem",),
    "disk": ("diskio",),
    "socket": ("socket",),
    "delay": ("latency-90", "latency", "lat_90"),
    "loss": ("latency-90", "latency", "lat_90"),
}


def _rcaeval_case(part: str, run: Path, service: str, fault: str) -> RcaCase:
    tables = [run / name for name in ("data.csv", "simple_metrics.csv") if (run / name).exists()]
    table = _files.whole(tables[0] if tables else run / "data.csv")
    columns = _files.header(table)
    _require_service(table, columns, service)
    stated = _files.there(run / "inject_time.txt")
    text = stated.read_text("utf-8").strip()
    if not text.isdigit():
        raise DataError(f"{stated}: want seconds since the epoch, found {text[:40]!r}")
    times = _seconds(table, _files.read_csv(table, "time")["time"])
    onset = _within(stated, int(text) * SECOND_US, times, "the time of injection")
    signal = next((one for one in _RCAEVAL_SIGNALS.get(fault, ()) if f"{service}_{one}" in columns), None)
    return RcaCase(part, f"{run.parent.name}/{run.name}", run, service, signal, fault, onset, table)


def read_recording(case: RcaCase, *, masked: bool = True) -> Recording:
    """Read the telemetry of a case. `masked`: without the rows of earlier faults. Raises DataError."""
    from ingest import read_graph, read_normal

    try:
        found = _read_case(case.table, case.table.stat().st_mtime_ns)
        normal = read_normal(case.normal) if case.normal else None
        graph = read_graph(case.graph) if case.graph else None
    except (FaultlineError, OSError) as error:
        raise DataError(f"{case.name}: {error}") from None
    if case.phases:
        found = replace(found, metrics=_joined(case.table, found.metrics))
    if masked:
        found = replace(
            found,
            metrics=_outside(found.metrics, case.masks),
            lines=_outside(found.lines, case.masks),
            spans=_outside(found.spans, case.masks),
        )
    return Recording(found, normal, graph)


@lru_cache(maxsize=1)
def _read_case(table: Path, changed_ns: int) -> "Case":
    """Read a recording; the faults of one day share it, so the last one is kept."""
    from ingest import read_case

    return read_case(table.parent if table.name in ("data.csv", "metrics.csv") else table)


def _joined(table: Path, metrics: pa.Table) -> pa.Table:
    """Move the normal recording to end one step before the anomalous one begins.

    The two are hours to days apart. Left so, the jump alone would give the onset away.
    """
    normal = np.array(_files.read_csv(table, "phase")["phase"].to_pylist()) == _PHASES[0]
    times = metrics["time"].cast(pa.int64()).to_numpy()
    early = normal[metrics["offset"].to_numpy()]
    step = int(np.median(np.diff(np.unique(times[early])))) if len(np.unique(times[early])) > 1 else SECOND_US
    moved = np.where(early, times + (times[~early].min() - step - times[early].max()), times)
    column = pa.array(moved).cast(pa.timestamp("us")).cast(telemetry.TIME)
    index = metrics.column_names.index("time")
    return metrics.set_column(index, metrics.schema.field("time"), column).sort_by(
        [("time", "ascending"), ("offset", "ascending")]
    )


def _outside(rows: pa.Table, masks: Spans) -> pa.Table:
    if not masks or not len(rows):
        return rows
    time = pc.coalesce(rows["time"], rows["observed_time"]) if "observed_time" in rows.column_names else rows["time"]
    times = time.cast(pa.int64()).to_numpy()
    keep = np.ones(len(rows), bool)
    for start, end in masks:
        keep &= (times < start) | (times >= end)
    return rows.filter(pa.array(keep))


def _seconds(table: Path, column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    try:
        times: npt.NDArray[np.float64] = pc.cast(column, pa.float64()).to_numpy()
    except pa.ArrowInvalid as error:
        raise DataError(f"{table}: a time is no number: {str(error).splitlines()[0]}") from None
    if not len(times) or not (np.diff(times) > 0).all():
        raise DataError(f"{table}: times do not increase from row to row: damaged or altered")
    return times


def _within(path: Path, time_us: int, times: npt.NDArray[np.float64], what: str) -> int:
    if not times[0] <= time_us / SECOND_US <= times[-1]:
        span = f"{times[0]:.0f} to {times[-1]:.0f}"
        raise DataError(
            f"{path}: {what} {time_us / SECOND_US:.0f} is outside the recording ({span}): truncated or swapped"
        )
    return time_us


def _us(path: Path, fields: dict[str, Any], name: str) -> int:
    value = fields.get(name) if isinstance(fields, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{path}: {name} is {value!r}, want seconds since the epoch")
    return round(value * SECOND_US)


def _text(path: Path, fields: dict[str, Any], name: str) -> str:
    value = fields.get(name) if isinstance(fields, dict) else None
    if not isinstance(value, str) or not value:
        raise DataError(f"{path}: {name} is {value!r}, want a text")
    return value


def _owners(columns: list[str]) -> set[str]:
    """Return the services columns belong to, by the rule of `faultline rca`."""
    return {name.partition("|" if "|" in name else "_")[0] for name in columns}


def _require_service(path: Path, columns: list[str], service: str) -> None:
    if service not in _owners(columns):
        raise DataError(f"{path}: mislabelled: root cause {service!r} has no column in the recording")


def _signal(path: Path, columns: list[str], service: str, metric: str) -> str:
    if metric not in columns or not metric.startswith((f"{service}_", f"{service}|")):
        raise DataError(f"{path}: mislabelled: root cause metric {metric!r} is no column of {service!r}")
    return metric[len(service) + 1 :]
