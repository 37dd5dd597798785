import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from parsing import Parser
from telemetry import LINES, Parsed

sys.path.insert(0, str(Path(__file__).parent))  # for header_lines.py

MakeLines = Callable[..., tuple[pa.Table, int]]


def make(
    bodies: Sequence[str],
    service: str | Sequence[str] | None = "shop",
    structured: bool | Sequence[bool] = False,
    offsets: Sequence[int] | None = None,
    observed: datetime = datetime(2026, 3, 1, tzinfo=UTC),
    **columns: Sequence[object],
) -> tuple[pa.Table, int]:
    """Return LINES rows for these bodies, and the position after them."""
    count = len(bodies)
    ends = np.cumsum([len(body.encode()) + 1 for body in bodies], dtype=np.int64)
    begins = list(offsets) if offsets is not None else [0, *ends[:-1].tolist()][:count]
    given = {
        "observed_time": [observed] * count,
        "service": [service] * count if service is None or isinstance(service, str) else list(service),
        "body": list(bodies),
        "source": ["app.log"] * count,
        "partition": [0] * count,
        "offset": begins,
        "line": list(range(1, count + 1)),
        "structured": [structured] * count if isinstance(structured, bool) else list(structured),
        **columns,
    }
    table = pa.table(
        [pa.array(given[f.name], f.type) if f.name in given else pa.nulls(count, f.type) for f in LINES], schema=LINES
    )
    return table, int(ends[-1]) if count and offsets is None else (max(begins) + 1 if count else 0)


@pytest.fixture(scope="session")
def make_lines() -> MakeLines:
    return make


def run_batches(bodies: list[str], size: int, parser: Parser | None = None, **columns: Any) -> list[Parsed]:
    parser = parser or Parser()
    table, end = make(bodies, **columns)
    out = []
    for at in range(0, table.num_rows, size):
        part = table.slice(at, size)
        after = table["offset"][at + size].as_py() if at + size < table.num_rows else end
        out.append(parser.process(part, after))
    out.append(parser.process(table.slice(0, 0), end, final=True))
    return out


@pytest.fixture(scope="session")
def run() -> Callable[..., list[Parsed]]:
    return run_batches
