"""Kafka's part of the throughput task: topics filled before the clock starts, the bare consumer, the plain loop."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from benchmarks._methods import OURS
from benchmarks.baselines.drain import miner

if TYPE_CHECKING:
    from ingest import Source

LIBRDKAFKA, CONSUMER, PLAIN = "faultline with librdkafka", "bare kafka-python consumer", "plain loop"
METHODS = {
    LIBRDKAFKA: "The pipeline as above, with kafka.client = librdkafka.",
    CONSUMER: "kafka-python's consumer with its own settings, polled in a loop that counts lines.",
    PLAIN: "kafka-python's consumer; stock Drain3 0.9.11 with the masks of its examples, one miner a source (message "
    "key); rows of source, cluster, template and line inserted into DuckDB as Arrow tables of 5,000.",
}
PLAIN_LINES, CONSUMER_LINES = 96_000, 400_000
"""The peers get no more lines than this: their cost a line does not fall with the number."""

_INSERT = 5_000
_WARM = 500
_ROW = pa.schema([("source", pa.string()), ("cluster", pa.int64()), ("template", pa.string()), ("body", pa.string())])


Run = Callable[[Callable[[], "Source"], Path, int], dict[str, Any]]
"""Runs the pipeline on a source, with its store in a folder, and returns lines and seconds."""


def measure(
    method: str, bootstrap: str, corpus: Mapping[str, Sequence[str]], per_message: int, folder: Path, run: Run
) -> dict[str, Any]:
    """Fill a topic and return what one method needs for it. What is loaded or compiled once is so before the clock."""

    def fill(lines: int) -> tuple[str, int]:
        part = {name: texts[:lines] for name, texts in corpus.items()}
        topic = f"faultline-bench-{uuid.uuid4().hex[:12]}"
        fill_topic(bootstrap, topic, joined(part, per_message))
        return topic, sum(map(len, part.values()))

    from ingest import fill_topic

    if method == PLAIN:
        topic, lines = fill(PLAIN_LINES // len(corpus))
        return {"sources": {"all": [lines, plain_loop(bootstrap, topic, lines, folder)]}}
    if method == CONSUMER:
        topic, lines = fill(CONSUMER_LINES // len(corpus))
        return {"sources": {"all": [lines, bare(bootstrap, topic, lines)]}}
    whole = len(max(corpus.values(), key=len))
    for part, most in (("warm", _WARM), ("whole", whole)):
        topic, lines = fill(most)
        (folder / part).mkdir()
        found = run(partial(_source, method, bootstrap, topic), folder / part, lines)
    return found


def _source(method: str, bootstrap: str, topic: str) -> "Source":
    from ingest import KafkaSource

    client: Literal["kafka-python", "librdkafka"] = "kafka-python" if method == OURS else "librdkafka"
    return KafkaSource(bootstrap, [topic], group=None, once=True, client=client)


def joined(corpus: Mapping[str, Sequence[str]], per_message: int) -> Iterator[tuple[str, str]]:
    """Yield (source, message) of so many lines a message, sources in turn, as they would come side by side."""
    for at in range(0, max(map(len, corpus.values())), per_message):
        for service, lines in corpus.items():
            if at < len(lines):
                yield service, "\n".join(lines[at : at + per_message])


def bare(bootstrap: str, topic: str, lines: int) -> float:
    """Return the seconds kafka-python's consumer takes to hand out the messages and count their lines."""
    from ingest import read_topic

    polled, seen, began = read_topic(bootstrap, topic), 0, time.perf_counter()
    while seen < lines:
        seen += sum(value.count(b"\n") + 1 for _, value in next(polled))
    return time.perf_counter() - began


def plain_loop(bootstrap: str, topic: str, lines: int, folder: Path) -> float:
    """Return the seconds of the loop one would write: poll, stock Drain3 with masks a source, Arrow rows to DuckDB."""
    import duckdb

    from ingest import read_topic

    miners: dict[str, Any] = {}
    rows: list[tuple[str, int, str, str]] = []
    seen = 0
    with closing(duckdb.connect(folder / "plain.duckdb")) as database:
        database.execute("CREATE TABLE logs (source VARCHAR, cluster BIGINT, template VARCHAR, body VARCHAR)")
        polled, began = read_topic(bootstrap, topic), time.perf_counter()
        while seen < lines:
            for key, value in next(polled):
                source = (key or b"").decode()
                fresh = miners.get(source) or miners.setdefault(source, miner(masked=True))
                for line in value.decode("utf-8", "replace").split("\n"):
                    found = fresh.add_log_message(line)
                    rows.append((source, found["cluster_id"], found["template_mined"], line))
                    seen += 1
                if len(rows) >= _INSERT:
                    _insert(database, rows)
                    rows = []
        _insert(database, rows)
        return time.perf_counter() - began


def _insert(database: Any, rows: list[tuple[str, int, str, str]]) -> None:
    if not rows:
        return
    columns = [pa.array(list(column), field.type) for column, field in zip(zip(*rows, strict=True), _ROW, strict=True)]
    database.register("arrived", pa.table(columns, schema=_ROW))
    database.execute("INSERT INTO logs SELECT * FROM arrived")
    database.unregister("arrived")
