"""The one entry: evidence in, ranked services and a verdict out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from rca._baselines import BASELINES, unit_hash
from rca._evidence import Diagnosis, Evidence, EvidenceRow, Suspect
from rca._findings import Finding, number
from rca._granger import granger
from rca._graph import learned, path_to_pain, walk_weights
from rca._logs import log_findings
from rca._metrics import load_ratios, metric_findings
from rca._onset import find_onset
from rca._pagerank import pagerank
from rca._panel import Floats, Panel, panel, times_us
from rca._scores import Board, affected, board, service_scores
from rca._spans import cells, span_findings
from rca._verdict import confidence, surge, verdict
from telemetry import WINDOW_METRICS, EvidenceError, UsageError

METHODS = ("default", "granger", "pcmci", *BASELINES)
"""Names `diagnose` knows. `default`: call graph, and batched Granger where there is none; `granger`: that graph
only; `pcmci`: PCMCI graph only (slow); the rest are baselines that look at metrics alone."""

_EVIDENCE_ROWS = 8
_SIGN = 0.3
"""Least strength of the strongest finding of a service that counts as affected."""


@dataclass(frozen=True)
class _Case:
    evidence: Evidence
    metrics: Panel
    onset: int
    services: tuple[str, ...]


def diagnose(evidence: Evidence, method: str = "default") -> Diagnosis:
    """Rank all services of the evidence by how likely the trouble began in them.

    The order of rows and columns does not matter; equal scores are ordered by a hash of the service name. Nothing after
    `evidence.until` is used. Raises UsageError for an unknown method, EvidenceError if there is nothing to compare.
    """
    began = time.perf_counter()
    if method not in METHODS:
        raise UsageError(f"unknown root-cause method {method!r}: one of {', '.join(METHODS)}")
    case = _case(evidence.cut())
    if method in BASELINES:
        (state, scores), certain = _baseline(case, method), 0.0
    else:
        state, scores, certain = _evidence_scores(case, method)
    suspects = _suspects(state, scores, verdict(certain))
    return Diagnosis(suspects, verdict(certain), certain, case.onset, method, time.perf_counter() - began)


def _case(evidence: Evidence) -> _Case:
    metrics = panel(evidence.metrics)
    onset = evidence.onset if evidence.onset is not None else find_onset(_any_panel(evidence, metrics))
    named = {
        s for table in (evidence.metrics, evidence.logs, evidence.spans) for s in table["service"].unique().to_pylist()
    }
    services = tuple(sorted(named | {s for pair in evidence.calls for s in pair}))
    if not services:
        raise EvidenceError("nothing to rank: the evidence has no metric, log or span row up to its end; give some")
    first = min(
        (int(times_us(t).min()) for t in (evidence.metrics, evidence.logs, evidence.spans) if t.num_rows), default=0
    )
    if first >= onset and evidence.normal is None:
        raise EvidenceError(
            f"no row before the onset ({onset} us) to compare with: give history or rows of normal operation"
        )
    return _Case(evidence, metrics, onset, services)


def _any_panel(evidence: Evidence, metrics: Panel) -> Panel:
    """Metrics if there are any, else log and span counts, as series to find the onset in."""
    if len(metrics.times):
        return metrics
    parts = [
        pa.table(
            [t["time"], t["service"], pa.array([name] * t.num_rows, pa.string()), t[name].cast(pa.float64())],
            WINDOW_METRICS,
        )
        for t, name in ((evidence.logs, "count"), (evidence.spans, "duration_p95_us"))
    ]
    found = panel(pa.concat_tables(parts))
    if not len(found.times):
        raise EvidenceError("no onset given and no row to find it in: give --at or telemetry")
    return found


def _normal(case: _Case) -> Floats | None:
    """Rows of normal operation in the column order of the case's metrics."""
    if case.evidence.normal is None:
        return None
    data = panel(case.evidence.normal)
    place = {pair: s for s, pair in enumerate(zip(data.services, data.metrics, strict=True))}
    out = np.full((len(data.times), len(case.metrics.services)), np.nan)
    for column, pair in enumerate(zip(case.metrics.services, case.metrics.metrics, strict=True)):
        if pair in place:
            out[:, column] = data.values[:, place[pair]]
    return out


def _baseline(case: _Case, method: str) -> tuple[Board, Floats]:
    data, normal = case.metrics, _normal(case)
    before = data.values[data.times < case.onset]
    reference = before if normal is None else np.vstack([normal, before])
    abnormal = data.values[data.times >= case.onset]
    scores = (
        BASELINES[method](data, reference, abnormal)
        if len(reference) and len(abnormal)
        else np.zeros(len(data.services))
    )
    findings = [_plain(data, s, float(scores[s]), method) for s in range(len(scores)) if scores[s] > 0]
    state = board(case.services, findings, case.evidence.calls)
    return state, np.array([max((f.strength for f in state.findings[s]), default=0.0) for s in state.services])


def _plain(data: Panel, s: int, score: float, method: str) -> Finding:
    service, metric = data.services[s], data.metrics[s]
    text = f"{service} {metric}: {method} score {number(score)}"
    return Finding(service, "metric", "other", metric, score, score, None, None, text)


def _evidence_scores(case: _Case, method: str) -> tuple[Board, Floats, float]:
    evidence = case.evidence
    findings = metric_findings(case.metrics, case.onset, _normal(case))
    spans = cells(evidence, case.onset)
    if spans is not None:
        findings += span_findings(spans)
    load = load_ratios(case.metrics, case.onset)
    findings += log_findings(evidence, case.onset, case.services, load)
    state = board(case.services, findings, evidence.calls)
    scores = service_scores(state)
    graph = _graph(case, state, findings, method)
    walked = pagerank(walk_weights(graph, scores), scores)
    scores = walked * (scores.max(initial=0.0) / max(walked.max(initial=0.0), 1e-12))
    return state, scores, confidence(state, scores, surge(state, load))


def _graph(case: _Case, state: Board, findings: Sequence[Finding], method: str) -> Floats:
    if method == "default" and state.calls.any():
        return state.calls
    if method == "pcmci":
        from rca._pcmci import pcmci

        return learned(case.metrics, state.services, findings, pcmci)
    return learned(case.metrics, state.services, findings, granger)


def _suspects(state: Board, scores: Floats, decision: str) -> tuple[Suspect, ...]:
    order = sorted(range(len(scores)), key=lambda i: (-round(float(scores[i]), 9), unit_hash(state.services[i])))
    total = float(scores.sum())
    hurt = affected(state)
    leads = _callers_of(state.calls, order[0]) if order else set()
    found = []
    for rank, i in enumerate(order, 1):
        findings = state.findings[state.services[i]]
        path = path_to_pain(i, state.calls, hurt, _SIGN)
        role = "unclear"
        if decision == "root_cause_found" and rank == 1:
            role = "root_cause"
        elif decision == "root_cause_found" and i in leads and hurt[i] >= _SIGN:
            role = "symptom"
        rows = [f.row() for f in findings[:_EVIDENCE_ROWS]]
        if len(path) > 1:
            rows.append(_path_row(state, path))
        found.append(
            Suspect(
                rank,
                state.services[i],
                findings[0].signal if findings else None,
                float(scores[i]),
                float(scores[i]) / total if total > 0 else 1 / len(order),
                role,
                tuple(rows),
                tuple(state.services[k] for k in path),
            )
        )
    return tuple(found)


def _path_row(state: Board, path: list[int]) -> EvidenceRow:
    names = [state.services[k] for k in path]
    return EvidenceRow("graph", "calls", 0.0, None, None, "affected callers, nearest first: " + " <- ".join(names))


def _callers_of(calls: Floats, service: int) -> set[int]:
    """All services that call this one, directly or through others."""
    seen, todo = {service}, [service]
    while todo:
        for caller in np.flatnonzero(calls[:, todo.pop()] > 0).tolist():
            if caller not in seen:
                seen.add(caller)
                todo.append(caller)
    return seen - {service}
