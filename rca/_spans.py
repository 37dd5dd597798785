"""What spans say: whose own time grew, where failures begin, and who is no longer reached."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rca._counts import dispersion, surprise
from rca._evidence import Evidence
from rca._findings import Finding, number
from rca._metrics import deviations, split
from rca._panel import Floats, Ints, times_us

_MIN_Z = 2.0
_COLUMNS = ("count", "errors", "error_origins", "self_p50_us", "self_p95_us", "duration_p50_us", "duration_p95_us")


@dataclass(frozen=True)
class Cells:
    """Spans by window and cell (service, operation, caller): one matrix [window, cell] a column, NaN where no span."""

    keys: tuple[tuple[str, str, str | None], ...]
    windows: Ints
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
    joined = pc.binary_join_element_wise(
        spans["service"], spans["operation"], pc.fill_null(spans["caller"], "\1"), "\0"
    )
    encoded = pc.dictionary_encode(pa.chunked_array(joined).combine_chunks())
    names = encoded.dictionary.to_pylist()
    order = np.argsort(np.array(names, dtype=object))
    column = np.argsort(order)[encoded.indices.to_numpy()]
    shape = (len(windows), len(names))
    data = {name: _scatter(spans[name].to_numpy(), row, column, shape) for name in _COLUMNS}
    keys = tuple(_key(names[k]) for k in order)
    return Cells(keys, windows, data, before, after)


def _scatter(values: Floats, row: Ints, column: Ints, shape: tuple[int, int]) -> Floats:
    matrix = np.full(shape, np.nan)
    matrix[row, column] = values
    return matrix


def _key(name: str) -> tuple[str, str, str | None]:
    service, operation, caller = name.split("\0")
    return service, operation, None if caller == "\1" else caller


def span_findings(spans: Cells) -> list[Finding]:
    """Return findings for own time ("cause"), duration ("symptom"), failures that begin at a service ("cause"),
    failures passed on ("symptom"), and services their callers no longer reach ("cause").
    """
    groups: dict[str, list[int]] = {}
    for index, (service, _, _) in enumerate(spans.keys):
        groups.setdefault(service, []).append(index)
    own, whole = _slowness(spans, "self"), _slowness(spans, "duration")
    found: list[Finding] = []
    for service, numbers in sorted(groups.items()):
        members = np.array(numbers)
        found += _time_finding(spans, service, members, own, "self", "own time")
        found += _time_finding(spans, service, members, whole, "duration", "duration")
        found += _failures(spans, service, members)
        found += _reach(spans, service, members)
    return found


def _slowness(spans: Cells, prefix: str) -> Floats:
    """Return z[cell] of the log of p50 and p95 against the windows before; the larger of the two."""
    scores = []
    for quantile in ("p50", "p95"):
        values = np.log(np.maximum(spans.data[f"{prefix}_{quantile}_us"], 1.0))
        scores.append(deviations(values[spans.before], values[spans.after]).z)
    return np.maximum(*scores)


def _time_finding(spans: Cells, service: str, members: Ints, z: Floats, prefix: str, words: str) -> Iterator[Finding]:
    """The service's cells together: deviations averaged with the root of the number of spans as weight."""
    weight = np.sqrt(np.nansum(spans.data["count"][np.ix_(spans.after, members)], axis=0))
    if not weight.sum():
        return
    together = float((weight * z[members]).sum() / np.sqrt((weight**2).sum()))
    if together < _MIN_Z:
        return
    expected, observed = (_mean_time(spans, prefix, rows, members) for rows in (spans.before, spans.after))
    strength = float(np.log1p(together))
    says = f"{service} {words} of its spans went from {number(expected / 1e3)} to {number(observed / 1e3)} ms"
    says += f" ({together:.1f} robust sd)"
    role = "cause" if prefix == "self" else "symptom"
    yield Finding(service, "span", role, words.replace(" ", "_"), together, strength, expected, observed, says)


def _mean_time(spans: Cells, prefix: str, rows: Ints, members: Ints) -> float:
    counts = np.nan_to_num(spans.data["count"][np.ix_(rows, members)])
    times = np.nan_to_num(spans.data[f"{prefix}_p50_us"][np.ix_(rows, members)])
    return float((counts * times).sum() / max(counts.sum(), 1.0))


def _failures(spans: Cells, service: str, members: Ints) -> Iterator[Finding]:
    calls_before, calls_after = (spans.total("count", rows, members) for rows in (spans.before, spans.after))
    if not calls_after:
        return
    for column, role, words in (("error_origins", "cause", "began at"), ("passed_on", "symptom", "passed through")):
        series = _failed(spans, column, members)
        expected = (series[spans.before].sum() + 0.5) / (calls_before + 1) * calls_after
        observed = series[spans.after].sum()
        z = float(surprise(observed, expected, dispersion(series[spans.before][:, None])[0]))
        if z >= _MIN_Z:
            says = (
                f"{number(observed)} of {number(calls_after)} failures {words} {service}, expected {number(expected)}"
            )
            yield Finding(service, "span", role, column, z, float(np.log1p(z)), float(expected), float(observed), says)


def _failed(spans: Cells, column: str, members: Ints) -> Floats:
    origins = np.nansum(spans.data["error_origins"][:, members], axis=1)
    if column == "error_origins":
        return np.asarray(origins)
    return np.asarray(np.nansum(spans.data["errors"][:, members], axis=1) - origins)


def _reach(spans: Cells, service: str, members: Ints) -> Iterator[Finding]:
    """Calls that arrive at the service, against what its callers' own number of spans makes one expect."""
    callers = {spans.keys[m][2] for m in members} - {None, service}
    sources = np.array([k for k, key in enumerate(spans.keys) if key[0] in callers], np.int64)
    arriving = np.array([m for m in members if spans.keys[m][2] in callers], np.int64)
    asked_before, asked_after = (spans.total("count", rows, sources) for rows in (spans.before, spans.after))
    came_before, came_after = (spans.total("count", rows, arriving) for rows in (spans.before, spans.after))
    if not asked_before or not came_before:
        return
    expected = came_before / asked_before * asked_after
    series = np.nansum(spans.data["count"][np.ix_(spans.before, arriving)], axis=1)
    z = -float(surprise(came_after, max(expected, 0.5), dispersion(series[:, None])[0]))
    if z >= _MIN_Z and came_after < 0.8 * expected:
        says = f"{number(came_after)} calls reached {service}, its callers' load made {number(expected)} expected"
        yield Finding(service, "span", "cause", "calls_received", z, float(np.log1p(z)), expected, came_after, says)
