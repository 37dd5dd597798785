"""How far each metric series is from its own past, without units."""

from dataclasses import dataclass

import numpy as np

from rca._counts import surprise
from rca._findings import Finding, number, strength
from rca._kinds import is_restart_counter, is_worse, metric_kind
from rca._panel import Floats, Ints, Panel, column_mean, column_quantiles, filled

GUARD_US = 60_000_000
"""Rows this close before the onset are no reference: an incident is opened some time after it began."""
GUARD_SHARE = 0.2
"""... but never more than this share of the rows before the onset."""
_FLOOR = 0.02
"""Scale is at least this share of the series' level: a change of 1 % of a constant is no finding."""
_COUNT_FLOOR = 0.5
_MAX_Z = 1e4
_RESTART_WEIGHT = 2.0
"""A process that died says more than a number that moved as far."""


@dataclass(frozen=True)
class Deviations:
    """Per column: signed `z`, the level before (`expected`) and in the abnormal rows (`observed`)."""

    z: Floats
    expected: Floats
    observed: Floats


def split(times: Ints, onset: int) -> tuple[Ints, Ints]:
    """Return row numbers of the reference (before the onset, less a guard gap) and of the abnormal part."""
    before = np.flatnonzero(times < onset)
    abnormal = np.flatnonzero(times >= onset)
    guarded = before[times[before] < onset - GUARD_US]
    least = int(np.ceil(len(before) * (1 - GUARD_SHARE)))
    return (guarded if len(guarded) >= least else before[:least]), abnormal


def deviations(reference: Floats, abnormal: Floats) -> Deviations:
    """Return how far the abnormal rows are from the reference rows, both [time, series], NaN where there is no point.

    Rows in which the whole fleet is off (an earlier incident) are taken out of the reference first. Scale: the larger
    of the interquartile range and the distance from the median to the 2 or 98 % quantile, whichever side the series
    went to, each divided by what it is for a normal distribution; at least a share of the level, and for whole
    numbers half the root of their level (counts scatter). Observed: the mean of the half of the abnormal rows that is
    farthest off.
    """
    clean = reference[_quiet_rows(reference)]
    low, q1, centre, q3, high = column_quantiles(clean, (0.02, 0.25, 0.5, 0.75, 0.98))
    observed = _extreme_mean(abnormal, centre)
    tail = np.where(observed >= centre, high - centre, centre - low) / 2.054
    level = np.maximum(np.abs(centre), np.nan_to_num(column_mean(np.abs(abnormal))))
    whole = ((clean == np.round(clean)) | ~np.isfinite(clean)).all(axis=0)
    counted = np.where(whole, _COUNT_FLOOR * np.sqrt(np.maximum(np.abs(centre), 1.0)), 0.0)
    scale = np.maximum.reduce([(q3 - q1) / 1.349, tail, _FLOOR * level, counted])
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.clip(np.nan_to_num((observed - centre) / np.where(scale > 0, scale, np.inf)), -_MAX_Z, _MAX_Z)
    return Deviations(z, centre, observed)


def _quiet_rows(reference: Floats) -> Ints:
    """Rows whose mean clipped deviation over all series is no outlier; at least 60 % of the rows."""
    if len(reference) < 12:
        return np.arange(len(reference))
    q1, centre, q3 = column_quantiles(reference, (0.25, 0.5, 0.75))
    scale = np.where(q3 > q1, q3 - q1, np.inf)
    loud = np.nan_to_num(column_mean(np.minimum(np.abs(reference - centre) / scale, 5.0).T))
    a, b = np.quantile(loud, [0.25, 0.75])
    limit = max(b + 3 * (b - a), float(np.quantile(loud, 0.6)))
    return np.flatnonzero(loud <= limit)


def _extreme_mean(abnormal: Floats, centre: Floats) -> Floats:
    """Mean of the upper or of the lower half of the rows, whichever is farther from the centre."""
    count = np.isfinite(abnormal).sum(axis=0)
    half = np.maximum((count + 1) // 2, 1)
    ordered = np.sort(abnormal, axis=0)
    rank = np.arange(len(abnormal))[:, None]
    low = column_mean(np.where(rank < half, ordered, np.nan))
    high = column_mean(np.where((rank >= count - half) & (rank < count), ordered, np.nan))
    return np.where(np.abs(high - centre) >= np.abs(low - centre), high, low)


SAYS = {"cause": 1.0, "symptom": 0.9, "other": 0.9, "load": 0.6, "callee": 0.5, "host": 0.5}
"""How much a kind of metric says about its own service, as a factor on the strength."""


def metric_findings(data: Panel, onset: int, normal: Floats | None) -> list[Finding]:
    """Return one finding for every series that moved by at least one robust standard deviation.

    Counters of restarts are compared by how much they grew, everything else by its level.
    """
    before, after = split(data.times, onset)
    reference = data.values[before] if normal is None else np.vstack([normal, data.values[before]])
    if not len(reference) or not len(after):
        return []
    found = deviations(reference, data.values[after])
    for s in (s for s, name in enumerate(data.metrics) if is_restart_counter(name)):
        found.z[s], found.expected[s], found.observed[s] = _grown(data.values[:, s], before, after)
    return [_finding(data, found, s) for s in np.flatnonzero(np.abs(found.z) >= 1.0).tolist()]


def _grown(counter: Floats, before: Ints, after: Ints) -> tuple[float, float, float]:
    """Return how surprising the growth of a counter is, the growth expected and the growth seen."""
    steps = np.maximum(np.diff(filled(counter[:, None])[:, 0], prepend=np.nan), 0.0)
    expected = (np.nansum(steps[before]) + 0.5) / (len(before) + 1) * len(after)
    observed = float(np.nansum(steps[after]))
    return _RESTART_WEIGHT * float(surprise(observed, expected)), float(expected), observed


def load_ratios(data: Panel, onset: int) -> dict[str, float]:
    """Return how many times more each service is asked than before: the median over its metrics of kind "load"."""
    before, after = split(data.times, onset)
    columns = [s for s, name in enumerate(data.metrics) if metric_kind(name) == "load"]
    if not len(before) or not len(after) or not columns:
        return {}
    old, new = (column_quantiles(data.values[rows][:, columns], (0.5,))[0] for rows in (before, after))
    ratios: dict[str, list[float]] = {}
    for s, was, now in zip(columns, old.tolist(), new.tolist(), strict=True):
        if was > 0 and np.isfinite(now):
            ratios.setdefault(data.services[s], []).append(now / was)
    return {service: float(np.median(values)) for service, values in ratios.items()}


def _finding(data: Panel, found: Deviations, s: int) -> Finding:
    service, metric = data.services[s], data.metrics[s]
    z, expected, observed = float(found.z[s]), float(found.expected[s]), float(found.observed[s])
    kind = metric_kind(metric)
    weight = strength(z) * SAYS[kind] * _direction(metric, kind, z)
    word = "rose" if z > 0 else "fell"
    text = f"{service} {metric} {word} from {number(expected)} to {number(observed)} ({abs(z):.1f} robust sd)"
    return Finding(service, "metric", kind, metric, z, weight, expected, observed, text)


def _direction(metric: str, kind: str, z: float) -> float:
    """A resource or a symptom that falls says less than one that rises; for health metrics it is the other way."""
    return 1.0 if is_worse(metric, z) or kind not in ("symptom", "cause", "callee") else 0.6
