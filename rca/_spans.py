"""What spans say: whose own time grew, where failures begin, which calls are slow on the way or no longer arrive.

A span of a caller whose operation names a service it calls is that call as the caller saw it (a client span). Its own
time is what the network and the waiting for a connection took, so it counts for the called service, not for the caller.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rca._counts import dispersion, surprise
from rca._evidence import Evidence
from rca._findings import Finding, number, strength
from rca._metrics import split
from rca._names import Names
from rca._panel import Floats, Ints, times_us

_MIN_Z = 2.0
_DRIFT = 0.1
"""Relative change of a duration that is ordinary: one standard deviation of a well known mean."""
_COLUMNS = ("count", "errors", "error_origins", "self_p50_us", "self_p95_us", "duration_p50_us", "duration_p95_us")


@dataclass(frozen=True)
class Cells:
    """Spans by window and cell (service, operation, caller): one matrix [window, cell] a column, NaN where no span.

    `owner[cell]`: the service the cell speaks for; `client[cell]`: it is a caller's view of a call to its owner.
    """

    services: tuple[str, ...]
    owner: tuple[str, ...]
    callers: tuple[str | None, ...]
    client: Ints
    data: dict[str, Floats]
    before: Ints
    after: Ints

    def total(self, column: str, rows: Ints, cells: Ints) -> float:
        """Sum of a column over some windows and cells."""
        return float(np.nansum(self.data[column][np.ix_(rows, cells)]))


def cells(evidence: Evidence, onset: int) -> Cells | None:
    """Pivot the spans; None if there are none before or none after the onset."""
    spans = evidence.spans
    if not spans.num_rows:
        return None
    windows, row = np.unique(times_us(spans), return_inverse=True)
    before, after = split(windows + evidence.step_us - 1, onset)
    if not len(before) or not len(after):
        return None
    caller = pc.fill_null(spans["caller"], "\1")
    encoded = pc.dictionary_encode(
        pa.chunked_array(
            pc.binary_join_element_wise(spans["service"], spans["operation"], caller, "\0")
        ).combine_chunks()
    )
    names = encoded.dictionary.to_pylist()
    order = np.argsort(np.array(names, dtype=object))
    column = np.argsort(order)[encoded.indices.to_numpy()]
    shape = (len(windows), len(names))
    data = {name: _scatter(spans[name].to_numpy(), row, column, shape) for name in _COLUMNS}
    keys = [str(names[k]).split("\0") for k in order]
    owner, client = _owners(keys)
    callers = tuple(None if key[2] == "\1" else key[2] for key in keys)
    return Cells(tuple(key[0] for key in keys), owner, callers, client, data, before, after)


def _scatter(values: Floats, row: Ints, column: Ints, shape: tuple[int, int]) -> Floats:
    matrix = np.full(shape, np.nan)
    matrix[row, column] = values
    return matrix


def _owners(keys: list[list[str]]) -> tuple[tuple[str, ...], Ints]:
    seen = {(caller, service): 1.0 for service, _, caller in keys if caller not in ("\1", service)}
    names = Names({service for service, _, _ in keys}, seen)
    owner, client = [], []
    for service, operation, _ in keys:
        called = names.named(service, operation) if seen else []
        owner.append(called[0] if len(called) == 1 else service)
        client.append(int(len(called) == 1))
    return tuple(owner), np.array(client, np.int64)


def span_findings(spans: Cells) -> list[Finding]:
    """Return findings for own time and failures that begin in a service ("cause"), slow or failing ways to it
    ("blame"), its duration and failures passed on ("symptom"), and services their callers no longer reach ("cause").
    """
    own, whole = _slowness(spans, "self"), _slowness(spans, "duration")
    owners = np.array(spans.owner, dtype=object)
    found: list[Finding] = []
    for service in sorted(set(spans.owner)):
        mine = np.flatnonzero((owners == service) & (spans.client == 0))
        ways = np.flatnonzero((owners == service) & (spans.client == 1))
        found += _time(spans, service, mine, own, ("self", "own_time", "cause"))
        found += _time(spans, service, mine, whole, ("duration", "duration", "symptom"))
        found += _time(spans, service, ways, own, ("self", "time_on_the_way", "blame"))
        found += _failures(spans, service, mine, ("error_origins", "cause", "failures began in"))
        found += _failures(spans, service, ways, ("error_origins", "blame", "failures began on the way to"))
        found += _failures(spans, service, mine, ("passed_on", "symptom", "failures passed through"))
        found += _reach(spans, service, mine)
    return found


def _slowness(spans: Cells, prefix: str) -> tuple[Floats, Floats]:
    """Return the larger log ratio (p50 or p95) of each cell, after over before, and its variance.

    A window's quantile counts as many times as it has spans; its variance is that seen before, times 1 / spans.
    """
    ratios, variances = zip(*(_log_ratio(spans, f"{prefix}_{q}_us") for q in ("p50", "p95")), strict=True)
    pick = (ratios[1] / np.sqrt(variances[1] + _DRIFT**2) > ratios[0] / np.sqrt(variances[0] + _DRIFT**2)).astype(int)
    return np.choose(pick, ratios), np.choose(pick, variances)


def _log_ratio(spans: Cells, column: str) -> tuple[Floats, Floats]:
    x, n = np.log(np.nan_to_num(spans.data[column]) + 50.0), np.nan_to_num(spans.data["count"])
    n0, n1 = n[spans.before].sum(axis=0), n[spans.after].sum(axis=0)
    usable = (n0 >= 5) & (n1 >= 1)
    mean0, mean1 = (
        (n[rows] * x[rows]).sum(axis=0) / np.maximum(total, 1)
        for rows, total in ((spans.before, n0), (spans.after, n1))
    )
    windows = (n[spans.before] > 0).sum(axis=0)
    spread = (n[spans.before] * (x[spans.before] - mean0) ** 2).sum(axis=0) / np.maximum(windows - 1, 1)
    variance = (spread + 0.05) * (1 / np.maximum(n0, 1) + 1 / np.maximum(n1, 1))
    return np.where(usable, mean1 - mean0, 0.0), np.where(usable, variance, np.inf)


def _time(
    spans: Cells, service: str, members: Ints, slowness: tuple[Floats, Floats], what: tuple[str, str, str]
) -> Iterator[Finding]:
    """The cells together, each weighted by how well it is known."""
    prefix, signal, role = what
    precision = 1 / (slowness[1][members] + _DRIFT**2)
    if not precision.sum():
        return
    ratio = float((precision * slowness[0][members]).sum() / precision.sum())
    z = ratio / float(np.sqrt(1 / precision.sum() + _DRIFT**2))
    if z < _MIN_Z:
        return
    expected, observed = (_mean_time(spans, prefix, rows, members) for rows in (spans.before, spans.after))
    whose = f"time on the way to {service}" if role == "blame" else f"{service} {signal.replace('_', ' ')} of spans"
    says = f"{whose} grew {number(float(np.exp(ratio)))}-fold"
    says += f", mean of p50 and p95 from {number(expected / 1e3)} to {number(observed / 1e3)} ms"
    yield Finding(service, "span", role, signal, z, strength(z), expected, observed, says)


def _mean_time(spans: Cells, prefix: str, rows: Ints, members: Ints) -> float:
    counts = np.nan_to_num(spans.data["count"][np.ix_(rows, members)])
    both = (spans.data[f"{prefix}_{q}_us"][np.ix_(rows, members)] for q in ("p50", "p95"))
    return float((counts * np.nan_to_num(sum(both))).sum() / 2 / max(counts.sum(), 1.0))


def _failures(spans: Cells, service: str, members: Ints, what: tuple[str, str, str]) -> Iterator[Finding]:
    column, role, words = what
    calls_before, calls_after = (spans.total("count", rows, members) for rows in (spans.before, spans.after))
    if not calls_after:
        return
    series = np.nansum(spans.data["error_origins"][:, members], axis=1)
    if column == "passed_on":
        series = np.nansum(spans.data["errors"][:, members], axis=1) - series
    expected = (series[spans.before].sum() + 0.5) / (calls_before + 1) * calls_after
    observed = series[spans.after].sum()
    z = float(surprise(observed, expected, dispersion(series[spans.before][:, None])[0]))
    if z >= _MIN_Z:
        says = f"{number(observed)} of {number(calls_after)} spans: {words} {service}, expected {number(expected)}"
        yield Finding(service, "span", role, column, z, strength(z), float(expected), float(observed), says)


def _reach(spans: Cells, service: str, members: Ints) -> Iterator[Finding]:
    """Calls that arrive at the service, against what its callers' own number of spans makes one expect."""
    callers = {spans.callers[m] for m in members} - {None, service}
    sources = np.array([k for k, name in enumerate(spans.services) if name in callers], np.int64)
    arriving = np.array([m for m in members if spans.callers[m] in callers], np.int64)
    asked_before, asked_after = (spans.total("count", rows, sources) for rows in (spans.before, spans.after))
    came_before, came_after = (spans.total("count", rows, arriving) for rows in (spans.before, spans.after))
    if not asked_before or not came_before:
        return
    expected = came_before / asked_before * asked_after
    series = np.nansum(spans.data["count"][np.ix_(spans.before, arriving)], axis=1)
    z = -float(surprise(came_after, max(expected, 0.5), dispersion(series[:, None])[0]))
    if z >= _MIN_Z and came_after < 0.8 * expected:
        says = f"{number(came_after)} calls reached {service}; what its callers did made {number(expected)} expected"
        yield Finding(service, "span", "cause", "calls_received", z, strength(z), expected, came_after, says)
