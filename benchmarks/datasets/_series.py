"""Metric series with labelled anomaly windows: the Numenta Anomaly Benchmark's layout."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.datasets import _files
from benchmarks.datasets._check import require
from benchmarks.datasets._errors import DataError
from telemetry import FaultlineError

POINTS = {
    "artificialNoAnomaly/art_daily_no_noise.csv": 4032,
    "artificialNoAnomaly/art_daily_small_noise.csv": 4032,
    "artificialNoAnomaly/art_noisy.csv": 4032,
    "artificialWithAnomaly/art_daily_jumpsdown.csv": 4032,
    "artificialWithAnomaly/art_daily_nojump.csv": 4032,
    "artificialWithAnomaly/art_load_balancer_spikes.csv": 4032,
    "realAWSCloudwatch/ec2_cpu_utilization_53ea38.csv": 4032,
    "realAWSCloudwatch/ec2_cpu_utilization_77c1ca.csv": 4032,
    "realAWSCloudwatch/ec2_cpu_utilization_ac20cd.csv": 4032,
    "realAWSCloudwatch/ec2_cpu_utilization_fe7f93.csv": 4032,
    "realAWSCloudwatch/ec2_disk_write_bytes_c0d644.csv": 4032,
    "realAWSCloudwatch/ec2_network_in_5abac7.csv": 4730,
    "realAWSCloudwatch/grok_asg_anomaly.csv": 4621,
    "realAWSCloudwatch/rds_cpu_utilization_cc0c53.csv": 4032,
    "realAdExchange/exchange-2_cpc_results.csv": 1624,
    "realAdExchange/exchange-3_cpc_results.csv": 1538,
    "realAdExchange/exchange-4_cpc_results.csv": 1643,
    "realKnownCause/ambient_temperature_system_failure.csv": 7267,
    "realKnownCause/ec2_request_latency_system_failure.csv": 4032,
    "realKnownCause/nyc_taxi.csv": 10320,
    "realKnownCause/rogue_agent_key_updown.csv": 5315,
    "realTraffic/TravelTime_451.csv": 2162,
    "realTraffic/occupancy_t4013.csv": 2500,
    "realTraffic/speed_7578.csv": 1127,
    "realTweets/Twitter_volume_AAPL.csv": 15902,
    "realTweets/Twitter_volume_CRM.csv": 15902,
    "realTweets/Twitter_volume_FB.csv": 15833,
    "realTweets/Twitter_volume_IBM.csv": 15893,
    "realTweets/Twitter_volume_PFE.csv": 15858,
}
"""How many points published series have, so that one cut off where nothing is labelled is noticed too."""


@dataclass(frozen=True)
class MetricSeries:
    """One series. Times are microseconds since the epoch, UTC; some repeat or go back where clocks were set back."""

    name: str  # "<family>/<file>"
    family: str
    times: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    windows: tuple[tuple[int, int], ...]  # anomaly windows, both ends included
    labels: tuple[int, ...]  # the times anomalies were labelled at


def metric_series(data: Path) -> list[MetricSeries]:
    """Read the series below `data`/nab, or `data` if that is a copy of the official repository; sorted by name.

    Raises DataError where the files and the labels do not name the same series or do not fit each other.
    """
    root = data / "nab" if (data / "nab").is_dir() else data
    require(data, "nab" if root != data else "data")
    labels = root / "labels" if (root / "labels").is_dir() else root
    windows = _files.read_json(labels / "combined_windows.json", dict)
    points = _files.read_json(labels / "combined_labels.json", dict)
    files = {path.relative_to(root / "data").as_posix() for path in (root / "data").glob("*/*.csv")}
    for what, names in (("combined_windows.json", set(windows)), ("combined_labels.json", set(points))):
        if lacking := sorted(names - files):
            raise DataError(f"{root / 'data' / lacking[0]}: missing, {what} names it")
        if unknown := sorted(files - names):
            raise DataError(f"{root / 'data' / unknown[0]}: mislabelled, {what} does not name it")
    return [_read(root / "data" / name, name, windows[name], points[name]) for name in sorted(files)]


def _read(path: Path, name: str, windows: Any, points: Any) -> MetricSeries:
    from ingest import read_matrix

    _files.there(path)
    if _files.header(path) != ["timestamp", "value"]:
        raise DataError(f"{path}: want the columns timestamp,value, found {','.join(_files.header(path))[:80]}")
    try:
        matrix = read_matrix(path)
    except FaultlineError as error:
        raise DataError(str(error)) from None
    if not np.isfinite(matrix.values).all():
        row = int(np.argmin(np.isfinite(matrix.values[:, 0])))
        raise DataError(f"{path}: no value at {matrix.times[row]}: truncated or damaged")
    if POINTS.get(name, len(matrix.values)) != len(matrix.values):
        raise DataError(f"{path}: {len(matrix.values)} points, as published {POINTS[name]}: truncated or altered")
    spans = tuple((_time(path, start), _time(path, end)) for start, end in _pairs(path, windows))
    labels = tuple(_time(path, point) for point in _list(path, points))
    known = set(matrix.time_us.tolist())
    for start, end in spans:
        if start not in known or end not in known or start > end:
            raise DataError(
                f"{path}: a labelled window ({start} to {end} us) is not in the series: truncated or swapped"
            )
    if outside := [label for label in labels if not any(start <= label <= end for start, end in spans)]:
        raise DataError(f"{path}: mislabelled: label {outside[0]} us lies in none of its windows")
    return MetricSeries(name, name.partition("/")[0], matrix.time_us, matrix.values[:, 0], spans, labels)


def _pairs(path: Path, windows: Any) -> list[list[str]]:
    for window in _list(path, windows):
        if not isinstance(window, list) or len(window) != 2:
            raise DataError(f"{path}: mislabelled: want windows as [start, end], found {str(window)[:60]!r}")
    return list(windows)


def _list(path: Path, labels: Any) -> list[Any]:
    if not isinstance(labels, list):
        raise DataError(f"{path}: mislabelled: want a list of windows or times, found {str(labels)[:60]!r}")
    return labels


def _time(path: Path, text: str) -> int:
    try:
        return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)
    except (TypeError, ValueError):
        raise DataError(f"{path}: label {text!r} is no time") from None
