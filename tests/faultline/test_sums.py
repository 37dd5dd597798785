"""What commits add up, however the rows are spread over batches and commits."""

import pyarrow as pa
import pytest

from faultline.commits import Buffer
from faultline.sums import template_deltas
from faultline.worker import PartitionWorker
from parsing import Parser
from telemetry import LINES, Batch, Partition

PARTITION = Partition("kafka:1/0", "kafka:logs", 0)
SEEN_US = 1_767_700_000_000_000  # the day after
SECONDS = (7, 3, 9, 3, 5, 1, 8, 1, 2)  # of neighbouring records, so that times go back and forth


def line(n: int) -> dict[str, object]:
    minute, second = divmod(n, len(SECONDS))
    text = f"2026-01-05T08:{minute:02d}:{SECONDS[second]:02d}Z INFO order {n} accepted"
    origin = {"source": PARTITION.source, "partition": 0, "offset": n, "line": 1}
    return {"observed_time": SEEN_US, "service": ("cart", "till")[n % 2], "body": text, "structured": False, **origin}


def first_examples(batch: int, commit: int, records: int = 60) -> dict[str, str]:
    worker, buffer, deltas = PartitionWorker(PARTITION, Parser(), 60_000_000), Buffer(), []
    for at in range(0, records, batch):
        lines = pa.Table.from_pylist([line(n) for n in range(at, min(at + batch, records))], LINES)
        end = at + batch >= records
        buffer.add(worker.process(Batch(PARTITION, at, at + len(lines), len(lines), lines=lines, closed=end)))
        if end or at // batch % commit == 0:
            rows = buffer.take()
            deltas += template_deltas(rows["logs"], rows["templates"]).to_pylist() if rows else []
    assert sum(row["count"] for row in deltas) == records
    deltas.sort(key=lambda row: (row["first_seen"], row["offset"]), reverse=True)
    return {row["service"]: row["example"] for row in deltas}


@pytest.mark.parametrize(("batch", "commit"), [(1, 1), (2, 1), (4, 3), (7, 1), (60, 1)])
def test_the_first_example_of_a_template_is_of_its_service_and_its_earliest_record(batch: int, commit: int):
    assert first_examples(batch, commit) == {"cart": "order 8 accepted", "till": "order 5 accepted"}
