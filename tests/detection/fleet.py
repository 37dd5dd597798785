"""A small made-up fleet: windows of metrics, logs and spans without faults, and with what a test adds."""

import numpy as np
import pyarrow as pa

from telemetry import TIME, WINDOW_LOGS, WINDOW_METRICS, WINDOW_SPANS, Window

START = 1_767_225_600_000_000
WIDTH = 10_000_000
SERVICES = ("auth", "cart", "db", "web")
METRICS = ("cpu", "latency", "memory")


def window(number, seed=0, *, slow=None, failing=None, extra_logs=(), silent=None, shuffle=None):
    """Return window `number`; `extra_logs` are (service, template, severity, count), the rest name services."""
    rng = np.random.default_rng([seed, number])
    start = START + number * WIDTH
    parts = _metrics(rng, start, slow, silent), _logs(rng, start, extra_logs), _spans(rng, start, slow, failing)
    if shuffle is not None:
        order = np.random.default_rng(shuffle)
        parts = tuple(part.take(order.permutation(part.num_rows)) for part in parts)
    return Window(start, start + WIDTH, *parts)


def _metrics(rng, start, slow, silent):
    rows = []
    for half in (0, 5_000_000):
        for service in SERVICES:
            for metric in METRICS:
                value = 100.0 * (1 + 0.05 * rng.standard_normal()) * (3 if service == slow else 1)
                if service != silent:
                    rows.append((start + half, service, metric, value))
    times, services, metrics, values = (list(column) for column in zip(*rows, strict=True))
    columns = [pa.array(times, pa.int64()).cast(TIME), services, metrics, values]
    return pa.table(columns, schema=WINDOW_METRICS)


def _logs(rng, start, extra):
    counts = rng.poisson(20, len(SERVICES))
    rows = [(s, i + 1, 9, int(c)) for i, (s, c) in enumerate(zip(SERVICES, counts, strict=True)) if c] + list(extra)
    services, templates, severities, numbers = (list(column) for column in zip(*rows, strict=True))
    times = pa.array([start] * len(rows), pa.int64()).cast(TIME)
    columns = [times, services, templates, pa.array(severities, pa.int8()), numbers]
    return pa.table(columns, schema=WINDOW_LOGS)


def _spans(rng, start, slow, failing):
    rows = []
    for service in SERVICES:
        for operation in ("read", "write"):
            count = int(rng.poisson(30)) + 1
            own = 1000.0 * float(np.exp(0.1 * rng.standard_normal())) * (3 if service == slow else 1)
            errors = int(rng.binomial(count, 0.5)) if service == failing else 0
            rows.append((service, operation, None, count, errors, 2 * own, 4 * own, own, 2 * own, errors))
    columns = [
        pa.array([start] * len(rows), pa.int64()).cast(TIME),
        *(list(column) for column in zip(*rows, strict=True)),
    ]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, WINDOW_SPANS, strict=True)], schema=WINDOW_SPANS)


def run(detector, numbers, **options):
    """Feed windows and return the anomalies of each."""
    return [detector.update(window(number, **options)) for number in numbers]


def signals(tables, service):
    """Return the signals reported of a service."""
    return {row["signal"] for table in tables for row in table.to_pylist() if row["service"] == service}
