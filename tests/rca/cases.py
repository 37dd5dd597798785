"""Hand-made evidence: a small shop in which one service misbehaves."""

import numpy as np
import pyarrow as pa

from rca import Evidence
from telemetry import TIME, WINDOW_LOGS, WINDOW_METRICS, WINDOW_SPANS, template_id

SECOND = 1_000_000
BEGIN = 1_800_000_000 * SECOND
ONSET = BEGIN + 1200 * SECOND
UNTIL = ONSET + 60 * SECOND
CALLS = {("web", "orders"): 40.0, ("web", "users"): 60.0, ("orders", "store"): 80.0}
SERVICES = ("orders", "store", "users", "web")


def us(times) -> pa.Array:
    return pa.array(np.asarray(times, np.int64)).cast(pa.timestamp("us")).cast(TIME)


def metrics(faults=None, seed=0, until=UNTIL, load=1.0) -> pa.Table:
    """Every 5 s cpu, latency and requests of each service; `faults`: (service, metric) -> factor after the onset."""
    rng = np.random.default_rng(seed)
    times = np.arange(BEGIN, until + 1, 5 * SECOND)
    rows: list[tuple[int, str, str, float]] = []
    for service in SERVICES:
        for metric, level in (("cpu_utilization", 0.4), ("latency_p95", 20.0), ("request_rate", 50.0)):
            values = level * (1 + 0.05 * rng.standard_normal(len(times)))
            factor = (faults or {}).get((service, metric), load if metric == "request_rate" else 1.0)
            values = np.where(times >= ONSET, values * factor, values)
            rows += [(t, service, metric, v) for t, v in zip(times.tolist(), values.tolist(), strict=True)]
    time, service, metric, value = zip(*rows, strict=True)
    return pa.table([us(time), service, metric, value], WINDOW_METRICS.names).cast(WINDOW_METRICS)


def logs(errors=()) -> tuple[pa.Table, dict[int, str]]:
    """Five ordinary lines a service and window; `errors`: (service, text) written 6 times a window after the onset."""
    rows, texts = [], {}
    for start in range(BEGIN, UNTIL, 10 * SECOND):
        wanted = [(s, f"{s} handled a request", 9, 5) for s in SERVICES]
        wanted += [(s, text, 17, 6) for s, text in errors if start >= ONSET]
        for service, text, severity, count in wanted:
            texts[template_id(text)] = text
            rows.append((start, service, template_id(text), severity, count))
    time, *rest = zip(*rows, strict=True)
    return pa.table([us(time), *rest], WINDOW_LOGS.names).cast(WINDOW_LOGS), texts


def spans(slow=None, failing=None, gone=(), seed=0) -> pa.Table:
    """One server and one client cell a call; `slow`, `failing`: (service, operation) -> factor, failed of 20 spans."""
    rng = np.random.default_rng(seed)
    cells = [("web", "GET /", None, 40)]
    for caller, callee in CALLS:
        cells += [(caller, f"call {callee}", caller, 20), (callee, "handle", caller, 20)]
    rows = []
    for start in range(BEGIN, UNTIL, 10 * SECOND):
        for service, operation, caller, count in cells:
            after = start >= ONSET
            if after and (service in gone):
                continue
            own = 3000.0 * float(np.exp(0.1 * rng.standard_normal()))
            own *= (slow or {}).get((service, operation), 1.0) if after else 1.0
            failed = (failing or {}).get((service, operation), 0) if after else 0
            rows.append((start, service, operation, caller, count, failed, 3 * own, 5 * own, own, 2 * own, failed))
    columns = [pa.array(c) for c in zip(*rows, strict=True)]
    return pa.table([us(columns[0].to_pylist()), *columns[1:]], WINDOW_SPANS.names).cast(WINDOW_SPANS)


def evidence(**changes) -> Evidence:
    table, texts = logs(changes.pop("errors", ()))
    given = {"metrics": metrics(), "logs": table, "spans": spans(), "calls": CALLS, "templates": texts}
    return Evidence(**{**given, "onset": ONSET, "until": UNTIL, **changes})
