"""Root cause rankers to compare with. Each takes the Evidence that ours takes, and returns (service, signal, score)s.

They look at metrics alone. A = rows from the onset on, R = rows before it and those of normal operation where the case
has them; without an onset both are all rows. A service has the highest score of its signals.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from rca import Evidence

Floats = npt.NDArray[np.float64]
Ranking = list[tuple[str, str | None, float]]

LAGS = 3
SIGNIFICANT = 0.05
DAMPING = 0.85
FLAT = 0.01


@dataclass(frozen=True)
class _Metrics:
    """`reference` and `abnormal` (rows, series), NaN where there is no value; a (service, signal) a series."""

    names: list[tuple[str, str]]
    reference: Floats
    abnormal: Floats

    def ranking(self, scores: Floats) -> Ranking:
        return [(service, signal, float(score)) for (service, signal), score in zip(self.names, scores, strict=True)]


def random(evidence: "Evidence") -> Ranking:
    """All signals get the same score, and ties are broken at random, by a seed of the case's own."""
    found = _metrics(evidence)
    return found.ranking(np.zeros(len(found.names)))


def nsigma(evidence: "Evidence") -> Ranking:
    """N-sigma: max over A of |x - mean(R)| / sd(R), population sd; series that are constant in R get 0."""
    found = _metrics(evidence)
    centre = _by_column(np.nanmean, found.reference)
    return found.ranking(_largest(np.abs(found.abnormal - centre), _by_column(np.nanstd, found.reference)))


def baro(evidence: "Evidence") -> Ranking:
    """BARO's RobustScorer (Pham, Ha and Zhang, FSE 2024) as RCAEval runs it: max over A of (x - median(R)) / IQR(R), so
    that only a rise counts; an IQR of 0 is taken as 1; series that are constant in R or in A are not ranked; memory
    (signals named mem) in whole MB. BARO's change point detector is not part of it: the onset is the one all methods
    get."""
    found = _metrics(evidence)
    memory = np.array([signal == "mem" for _, signal in found.names])
    reference, abnormal = (np.where(memory, np.trunc(rows / 1e6), rows) for rows in (found.reference, found.abnormal))
    low, centre, high = (_by_column(np.nanquantile, reference, q) for q in (0.25, 0.5, 0.75))
    scale = np.where(high > low, high - low, 1.0)
    best = _by_column(np.nanmax, (abnormal - centre) / scale)
    moves = [_by_column(np.nanmax, rows) > _by_column(np.nanmin, rows) for rows in (reference, abnormal)]
    ranked = np.flatnonzero(moves[0] & moves[1] & np.isfinite(best))
    return [(*found.names[at], float(best[at])) for at in ranked]


def robust(evidence: "Evidence") -> Ranking:
    """The same idea two-sided and free of units: max over A of |x - median(R)| / IQR(R); where the IQR is 0, a
    hundredth of |median(R)| stands for it, and series without that either get 0."""
    found = _metrics(evidence)
    low, centre, high = (_by_column(np.nanquantile, found.reference, q) for q in (0.25, 0.5, 0.75))
    scale = np.where(high > low, high - low, FLAT * np.abs(centre))
    return found.ranking(_largest(np.abs(found.abnormal - centre), scale))


def granger_pagerank(evidence: "Evidence") -> Ranking:
    """Plain Granger + PageRank: all pairs of series are tested (ssr F test, best p of lags 1 to 3 times 3, significant
    below .05) on R and A in order of time, gaps carried forward; edges point from effect to cause, and PageRank
    (damping .85, uniform restart) of the graph ranks the signals. No signal is scored by how far it moved."""
    import networkx as nx

    found = _metrics(evidence)
    rows = found.abnormal if evidence.onset is None else np.vstack([found.reference, found.abnormal])
    p = _granger(_carried(rows))
    graph = nx.from_numpy_array((p < SIGNIFICANT).T.astype(float), create_using=nx.DiGraph)
    ranks = nx.pagerank(graph, alpha=DAMPING)
    return found.ranking(np.array([ranks[series] for series in range(len(found.names))]))


def _metrics(evidence: "Evidence") -> _Metrics:
    cut = evidence.cut()
    names, times, values = _pivot(cut.metrics)
    if cut.onset is None:
        return _Metrics(names, values, values)
    before, after = values[times < cut.onset], values[times >= cut.onset]
    if cut.normal is not None:
        others, _, rows = _pivot(cut.normal)
        place = {name: k for k, name in enumerate(others)}
        normal = np.full((len(rows), len(names)), np.nan)
        for k, name in enumerate(names):
            if name in place:
                normal[:, k] = rows[:, place[name]]
        before = np.vstack([normal, before])
    return _Metrics(names, before, after)


def _pivot(table: pa.Table) -> tuple[list[tuple[str, str]], npt.NDArray[np.int64], Floats]:
    keys = pc.binary_join_element_wise(table["service"], table["metric"], "\0")
    coded = pc.dictionary_encode(pa.chunked_array(keys).combine_chunks())
    names = [tuple(name.split("\0", 1)) for name in coded.dictionary.to_pylist()]
    times, row = np.unique(table["time"].cast(pa.int64()).to_numpy(), return_inverse=True)
    values = np.full((len(times), len(names)), np.nan)
    values[row, coded.indices.to_numpy()] = table["value"].to_numpy()
    return [(service, signal) for service, signal in names], times, values


def _by_column(statistic: Callable[..., Floats], values: Floats, *arguments: float) -> Floats:
    """Return a NaN-aware statistic of each column; NaN for columns without any value."""
    known = np.isfinite(values).any(axis=0)
    found = np.full(values.shape[1], np.nan)
    if known.any():
        found[known] = statistic(values[:, known], *arguments, axis=0)
    return found


def _largest(distance: Floats, scale: Floats) -> Floats:
    usable = np.isfinite(distance) & (scale > 0)
    ratio = np.where(usable, distance, -np.inf) / np.where(scale > 0, scale, 1.0)
    best = ratio.max(axis=0, initial=-np.inf)
    return np.where(np.isfinite(best), best, 0.0)


def _carried(values: Floats) -> Floats:
    """Carry the last value forward, then the first backward; standardise. Columns without any spread become 0."""
    at = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(len(values))[:, None], -1), axis=0)
    at = np.where(at >= 0, at, np.isfinite(values).argmax(axis=0))
    filled = np.nan_to_num(np.take_along_axis(values, at, axis=0))
    spread = filled.std(axis=0)
    return np.asarray((filled - filled.mean(axis=0)) / np.where(spread > 1e-12, spread, np.inf))


def _granger(z: Floats) -> Floats:
    """Return p[i, j]: series i helps to predict series j; 1 where a test is not possible.

    By Frisch, Waugh and Lovell, on inner products alone: the past of j is swept out of the past of i and of j.
    """
    from scipy.special import fdtrc

    rows, series = z.shape
    best = np.ones((series, series))
    for lag in range(1, LAGS + 1):
        free = rows - lag - 2 * lag - 1
        if free < 1:
            break
        past = np.stack([z[lag - k : rows - k] for k in range(1, lag + 1)], axis=2).reshape(rows - lag, -1)
        past, now = past - past.mean(axis=0), z[lag:] - z[lag:].mean(axis=0)
        gram = (past.T @ past).reshape(series, lag, series, lag)
        cross = (past.T @ now).reshape(series, lag, series)
        own = np.einsum("iaib->iab", gram)
        ridge = 1e-9 * rows * np.eye(lag)
        inverse = np.linalg.inv(own + ridge)
        for j in range(series):
            swept = np.einsum("iak,kl->ial", gram[:, :, j, :], inverse[j])
            rest = own - np.einsum("ial,ibl->iab", swept, gram[:, :, j, :])
            target = cross[:, :, j] - np.einsum("ial,l->ia", swept, cross[j, :, j])
            total = float(now[:, j] @ now[:, j] - cross[j, :, j] @ inverse[j] @ cross[j, :, j])
            if total < 1e-9:
                continue
            solved = np.linalg.solve(rest + ridge, target[:, :, None])[:, :, 0]
            gain = np.clip(np.einsum("ia,ia->i", solved, target), 0.0, total)
            p = fdtrc(lag, free, (gain / lag) / np.maximum((total - gain) / free, 1e-12))
            best[:, j] = np.minimum(best[:, j], p * LAGS)
    np.fill_diagonal(best, 1.0)
    return best
