"""What a store holds, and what went in, in a form that can be compared."""

from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from simulation import Chunk, Sink
from storage import Store

CONTENT = {
    "logs": 'SELECT time, service, component, severity_number, body, template_id, params, source, "partition",'
    ' "offset", line, late FROM raw_logs ORDER BY ALL',
    "metrics": 'SELECT time, service, metric, value, source, "partition", "offset", late FROM raw_metrics ORDER BY ALL',
    "spans": "SELECT * EXCLUDE (attributes) FROM raw_spans ORDER BY ALL",
    "dead_letters": "SELECT * EXCLUDE (time) FROM raw_dead_letters ORDER BY ALL",
    "templates": "SELECT template_id, service, template, count, first_seen, last_seen FROM templates ORDER BY ALL",
    "lineage": "SELECT time, kind, from_id, to_id FROM raw_lineage ORDER BY ALL",
    "log_counts": "SELECT minute, service, severity_number, template_id, sum(count) FROM log_counts GROUP BY ALL"
    " ORDER BY ALL",
    "anomalies": "SELECT * FROM raw_anomalies ORDER BY ALL",
    "incidents": "SELECT * FROM raw_incidents ORDER BY ALL",
    "incident_events": "SELECT * FROM raw_incident_events ORDER BY ALL",
    "suspects": "SELECT * FROM raw_suspects ORDER BY ALL",
    "ledger": "SELECT app_id, max(read), max(stored), max(joined), max(dead_lettered), max(filtered), max(late),"
    " bool_or(closed) FROM raw_ledger GROUP BY ALL ORDER BY ALL",
}


def tables(store: Path) -> dict[str, pa.Table]:
    """What a store holds, apart from how many commits it took."""
    with Store.open(store, create=False).reader("4GiB", 600) as reader:
        return {name: reader.query(sql) for name, sql in CONTENT.items()}


def content(store: Path) -> dict[str, list[dict[str, Any]]]:
    """What a store holds, row by row."""
    return {name: table.to_pylist() for name, table in tables(store).items()}


class Counting:
    """Counts what goes into a sink, independently of what comes out of the pipeline."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.truth, self.close = sink.truth, sink.close
        self.lines = self.points = self.spans = 0

    def write(self, chunk: Chunk) -> None:
        self._sink.write(chunk)
        self.lines += sum(text.count("\n") + 1 for texts in chunk.logs.values() for text in texts)
        self.points += sum(len(orjson.loads(text)["metrics"]) for text in chunk.metrics)
        self.spans += len(chunk.spans)
