"""A small made-up shop, as rows of every table the dashboard reads. Run as a program it appends to a store:

python shop.py STORE            two hours that end now
python shop.py STORE incident   one more open incident
"""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

import telemetry as tm

CALLS = {
    "gateway": ["web", "api"],
    "web": ["catalog", "session"],
    "api": ["orders", "catalog", "search"],
    "orders": ["payments", "stock", "orders-db"],
    "payments": ["bank", "payments-db"],
    "stock": ["stock-db", "queue"],
    "catalog": ["cache", "catalog-db"],
    "search": ["cache"],
    "session": ["cache"],
}
SERVICES = sorted({*CALLS, *(callee for callees in CALLS.values() for callee in callees)})
HOSTILE = (
    "<img src=x onerror=\"document.title='pwned'\"> [click](https://evil.example) $x$ :material/home: \x1b[31m\u202egpj"
)
TEMPLATES = [
    (9, "GET /<*> 200 in <*> ms"),
    (9, "served request <*> for user <*>"),
    (13, "retry <*> of 3 after <*> ms"),
    (17, "request <*> timed out after <*> ms"),
    (17, "unexpected input " + HOSTILE.replace("x", "<*>", 1)),
]
OLD_TIMEOUT = "request 7 timed out after <*> ms"
"""What the time-out's template was before it generalised."""
MINUTES = 120
ROOT_CAUSE_ID = "a1b2c3d4e5f60718"
UNSURE_ID = "0badc0ffee000001"
RESOLVED_ID = "0badc0ffee000002"
APPENDED_ID = "feedfacecafe0001"


def table(name: str, rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Rows as a table of that name; columns a row leaves out are null, origin columns are counted up."""
    schema = tm.TABLES[name]
    filled = []
    for offset, row in enumerate(rows):
        origin = {"source": "shop", "partition": 0, "offset": offset, "late": False}
        filled.append({field: row.get(field, origin.get(field)) for field in schema.names})
    return pa.Table.from_pylist(filled, schema=schema)


def _logs(start: datetime, fault: datetime, rng: np.random.Generator) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for minute in range(MINUTES):
        for service in SERVICES:
            time = start + timedelta(minutes=minute)
            sick = time >= fault and service in ("payments", "orders", "api")
            counts = [
                3 + rng.poisson(3),
                2 + rng.poisson(2),
                rng.poisson(0.2 + 2 * sick),
                rng.poisson(0.02 + 5 * sick),
                0,
            ]
            counts[4] = int(minute == MINUTES - 1 and service == "search")
            for (severity, template), count in zip(TEMPLATES, counts, strict=True):
                rows += [
                    _log(time + timedelta(seconds=int(s)), service, severity, template, i)
                    for i, s in enumerate(sorted(rng.integers(0, 60, count)))
                ]
    return sorted(rows, key=lambda row: row["time"])


def _log(time: datetime, service: str, severity: int, template: str, i: int) -> dict[str, Any]:
    params = [f"{i}{j}" for j in range(template.count(tm.WILDCARD))]
    body = template
    for param in params:
        body = body.replace(tm.WILDCARD, param, 1)
    return {
        "time": time, "observed_time": time, "service": service, "component": "main", "severity_number": severity,
        "severity_text": {9: "INFO", 13: "WARN", 17: "ERROR"}[severity], "body": body,
        "template_id": tm.template_id(template), "params": params,
    }  # fmt: skip


def _counts(logs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    sums: dict[tuple[Any, ...], int] = {}
    for row in logs:
        key = (row["time"].replace(second=0, microsecond=0), row["service"], row["severity_number"], row["template_id"])
        sums[key] = sums.get(key, 0) + 1
    names = ("minute", "service", "severity_number", "template_id")
    return [{**dict(zip(names, key, strict=True)), "count": count} for key, count in sums.items()]


def _templates(logs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    text = {tm.template_id(template): template for _, template in TEMPLATES}
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for row in logs:
        key = (row["template_id"], row["service"])
        entry = found.setdefault(key, {
            "template_id": key[0], "service": key[1], "template": text[key[0]], "first_seen": row["time"],
            "count": 0, "example": row["body"],
        })  # fmt: skip
        entry["last_seen"] = row["time"]
        entry["count"] += 1
    return list(found.values())


def _metrics(start: datetime, fault: datetime, rng: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    normal = {"cpu_utilization": 0.3, "latency_p95": 0.12, "error_rate": 0.004, "request_rate": 40.0}
    for step in range(0, MINUTES * 60, 15):
        time = start + timedelta(seconds=step)
        for service in SERVICES:
            factor = 1.0
            if time >= fault:
                factor = {"payments": 2.9, "orders": 1.8, "api": 1.4, "gateway": 1.2}.get(service, 1.0)
            for metric, level in normal.items():
                value = level * (1 if metric == "request_rate" else factor) * float(rng.normal(1, 0.06))
                rows.append({"time": time, "service": service, "metric": metric, "value": value})
    return rows


def _spans(end: datetime, fault: datetime) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []

    def call(trace: int, time: datetime, service: str, parent: str | None) -> None:
        span = f"{len(rows):016x}"
        sick = time >= fault and service in ("payments", "orders")
        rows.append({
            "time": time, "duration_us": 400_000 if sick else 30_000, "trace_id": f"{trace:032x}", "span_id": span,
            "parent_span_id": parent, "service": service, "operation": f"{service}.handle",
            "status": "error" if sick and trace % 3 == 0 else "ok",
        })  # fmt: skip
        for i, callee in enumerate(CALLS.get(service, [])):
            call(trace, time + timedelta(milliseconds=2 + i), callee, span)

    for trace in range(120):
        call(trace, end - timedelta(minutes=20) + timedelta(seconds=10 * trace), "gateway", None)
    return rows


def _anomaly(time: datetime, service: str, kind: str, signal: str, score: float, expected: float, observed: float,
             incident: str | None) -> dict[str, Any]:  # fmt: skip
    return {
        "time": time, "window_s": 10, "service": service, "kind": kind, "signal": signal, "score": score,
        "threshold": 6.0, "expected": expected, "observed": observed, "detector": "robust-z", "incident_id": incident,
        "explanation": f"{signal} is {observed:g}, expected {expected:g} (score {score:g}, threshold 6)",
    }  # fmt: skip


def _anomalies(fault: datetime, end: datetime) -> list[dict[str, Any]]:
    rows = [_anomaly(end - timedelta(minutes=90), "search", "metric", "cpu_utilization", 7.1, 0.3, 0.52, None)]
    begins = {"payments": 1, "orders": 4, "api": 7, "gateway": 12}
    timeout = tm.format_id(tm.template_id(TEMPLATES[3][1]))
    for step in range(int((end - fault).total_seconds() // 10)):
        time = fault + timedelta(seconds=10 * step)
        for service, first in begins.items():
            if step >= first:
                rows.append(
                    _anomaly(time, service, "metric", "latency_p95", 12.4 - first / 2, 0.12, 0.35, ROOT_CAUSE_ID)
                )
        if step % 3 == 2:
            rows.append(_anomaly(time, "payments", "metric", "cpu_utilization", 21.5, 0.3, 0.88, ROOT_CAUSE_ID))
            rows.append(_anomaly(time, "orders", "log", timeout, 9.2, 0.1, 6, ROOT_CAUSE_ID))
            rows.append(_anomaly(time, "payments", "span", "orders.handle duration_p95_us", 8, 3e4, 4e5, ROOT_CAUSE_ID))
    return rows


def incident(id_: str, onset: datetime, updated: datetime, **values: Any) -> dict[str, Any]:
    """One row of `incidents`, open and critical unless told otherwise."""
    return {
        "id": id_, "opened": onset + timedelta(seconds=20), "updated": updated, "onset": onset, "status": "open",
        "severity": "critical", "services": ["payments", "orders", "api", "gateway"], "seq": 1,
        "title": "payments: cpu_utilization and 3 more services", "verdict": None, "confidence": None, **values,
    }  # fmt: skip


def _incidents(fault: datetime, end: datetime) -> list[dict[str, Any]]:
    hour = timedelta(hours=1)
    return [
        incident(ROOT_CAUSE_ID, fault, end, verdict="root_cause_found", confidence=0.86, seq=3),
        incident(UNSURE_ID, end - hour / 4, end, severity="warning", services=["search"], seq=2,
                 title="search: cpu_utilization", verdict="insufficient_evidence", confidence=0.21),
        incident(RESOLVED_ID, end - 1.5 * hour, end - 1.3 * hour, severity="warning", services=["stock", "stock-db"],
                 title=f"stock: {HOSTILE}", status="resolved", verdict="root_cause_found", confidence=0.7),
    ]  # fmt: skip


def _events(fault: datetime, end: datetime) -> list[dict[str, Any]]:
    steps = [("open", 20, "payments: latency_p95 and cpu_utilization above their thresholds"),
             ("join", 50, "orders joined: latency_p95 0.35, expected 0.12"), ("join", 80, "api joined"),
             ("rank", 90, "payments ranked first of 4, share 62 %")]  # fmt: skip
    rows = [{"incident_id": ROOT_CAUSE_ID, "time": fault + timedelta(seconds=s), "seq": i, "kind": kind,
             "actor": "faultline", "detail": detail} for i, (kind, s, detail) in enumerate(steps)]  # fmt: skip
    for id_ in (UNSURE_ID, RESOLVED_ID):
        rows.append({"incident_id": id_, "time": end - timedelta(minutes=15), "seq": 0, "kind": "open",
                     "actor": "faultline", "detail": HOSTILE})  # fmt: skip
    return rows


def _suspects(end: datetime) -> list[dict[str, Any]]:
    def evidence(kind: str, signal: str, score: float, expected: float, observed: float, text: str) -> dict[str, Any]:
        return {
            "kind": kind,
            "signal": signal,
            "score": score,
            "expected": expected,
            "observed": observed,
            "text": text,
        }

    cpu = evidence(
        "metric",
        "cpu_utilization",
        21.5,
        0.3,
        0.88,
        "cpu_utilization rose from 0.30 to 0.88 at onset, 20 s before any other service",
    )
    slow = evidence("metric", "latency_p95", 12.4, 0.12, 0.35, "latency_p95 is 0.35 s, normally 0.12 s")
    graph = evidence("graph", "orders", 0.4, 0, 0.4, "orders calls payments and became slow 30 s later")
    timeout = tm.format_id(tm.template_id(TEMPLATES[3][1]))
    logged = evidence(
        "log", timeout, 9.2, 0.1, 6, "'request <*> timed out after <*> ms' 36 times in 6 minutes, normally 0.1"
    )
    span = evidence("span", "duration_p95_us", 8.0, 30_000, 400_000, "spans take 400 ms at p95, normally 30 ms")
    ranked = [("payments", "cpu_utilization", 0.62, "root_cause", [cpu, slow, span, graph]),
              ("orders", "latency_p95", 0.21, "symptom", [slow, logged]),
              ("api", "latency_p95", 0.11, "symptom", [slow]),
              ("gateway", "latency_p95", 0.06, "symptom", [slow])]  # fmt: skip
    rows = []
    for ranked_at in (end - timedelta(minutes=2), end):
        rows += [{
            "incident_id": ROOT_CAUSE_ID, "ranked_at": ranked_at, "rank": i + 1, "service": service, "signal": signal,
            "score": share * 10, "share": share, "role": role, "evidence": rows_, "method": "default",
            "path": ["payments", "orders", "api", "gateway"][i:] if i < 3 else ["gateway"],
        } for i, (service, signal, share, role, rows_) in enumerate(ranked)]  # fmt: skip
    unsure = {"incident_id": UNSURE_ID, "ranked_at": end, "rank": 1, "service": "search", "signal": timeout}
    weak = {"score": 0.5, "share": 0.34, "role": "unclear", "evidence": [cpu], "path": ["search"], "method": "default"}
    rows.append(unsure | weak)
    return rows


def tables(end: datetime, seed: int = 1) -> dict[str, pa.Table]:
    """Two hours of every table up to `end`, with a fault in payments during the last six minutes."""
    rng = np.random.default_rng(seed)
    start, fault = end - timedelta(minutes=MINUTES), end - timedelta(minutes=6)
    logs = _logs(start.replace(second=0, microsecond=0), fault, rng)
    metrics = _metrics(start, fault, rng)
    total = len(logs) + len(metrics)
    ledger = {
        "time": end, "app_id": "file:shop", "next": total, "read": total, "stored": total, "joined": 0,
        "dead_lettered": 0, "filtered": 0, "late": 0, "watermark": end, "closed": False,
    }  # fmt: skip
    rule = {
        "time": end, "kind": "generalise", "from_id": tm.template_id(OLD_TIMEOUT),
        "to_id": tm.template_id(TEMPLATES[3][1]),
        "recipe": [[{"text": "7", "param": None}], [{"text": None, "param": 0}]],
    }  # fmt: skip
    rows = {
        "lineage": [rule], "logs": logs, "metrics": metrics, "spans": _spans(end, fault), "templates": _templates(logs),
        "log_counts": _counts(logs), "anomalies": _anomalies(fault, end), "incidents": _incidents(fault, end),
        "incident_events": _events(fault, end), "suspects": _suspects(end), "ledger": [ledger],
    }  # fmt: skip
    return {name: table(name, rows[name]) for name in tm.TABLES if name in rows}


def fill(url: str, end: datetime | None = None) -> None:
    """Write the two hours into a store."""
    from storage import Move, Store

    writer = Store.open(url).writer()
    made = tables(end or datetime.now(UTC))
    derived = {name: made.pop(name) for name in ("anomalies", "incidents", "incident_events", "suspects")}
    total = made["ledger"]["next"][0].as_py()
    writer.commit(made, [Move("file:shop", 0, total, "shop", 0)])
    _conclude(writer, derived)


def _conclude(writer: Any, derived: dict[str, pa.Table]) -> None:
    """Commit tables as the correlator does: its positions are event times in microseconds."""
    from storage import CORRELATOR, Move

    start = writer.position("ledger", CORRELATOR) or 0
    position = max(start + 1, int(datetime.now(UTC).timestamp() * 1e6))
    placed = {
        name: part.append_column("position", pa.array([position - 1] * len(part))) for name, part in derived.items()
    }
    writer.commit(placed, [Move(CORRELATOR, start, position)])


def append_incident(url: str) -> None:
    """Write one more open incident, as the pipeline would while a page is open."""
    from storage import Store

    now = datetime.now(UTC)
    row = incident(APPENDED_ID, now - timedelta(seconds=30), now, title="bank: error_rate", services=["bank"])
    opened = {"incident_id": APPENDED_ID, "time": now, "seq": 0, "kind": "open", "actor": "faultline", "detail": "."}
    made = {"incidents": table("incidents", [row]), "incident_events": table("incident_events", [opened])}
    _conclude(Store.open(url).writer(), made)


if __name__ == "__main__":
    if sys.argv[2:] == ["incident"]:
        append_incident(sys.argv[1])
    else:
        fill(sys.argv[1])
