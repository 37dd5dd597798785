"""Where the shop's telemetry goes: a folder of files, or Kafka topics."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

from simulation._shop import Chunk
from telemetry import SourceError

LINES_A_MESSAGE = 200
"""Most records joined into one Kafka message."""


class Sink(Protocol):
    """Takes chunks in order of time, and once the truth."""

    def write(self, chunk: Chunk) -> None:
        """Hand on a chunk; when this returns a reader can see it."""

    def truth(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """Keep the truth apart from the telemetry, if this sink has a place for it."""

    def close(self) -> None:
        """Flush and release what is held."""


class _Closing:
    """Lets a sink be used in a `with` statement."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        raise NotImplementedError


class FilesSink(_Closing):
    """Appends to OUT/logs/<service>.log, OUT/metrics.jsonl, OUT/spans.jsonl; the truth goes to OUT/truth/faults.json.

    Raises SourceError if the folder cannot be made or written.
    """

    def __init__(self, out: str | Path) -> None:
        self.out = Path(out)
        self._open: dict[str, IO[str]] = {}
        try:
            (self.out / "logs").mkdir(parents=True, exist_ok=True)
            (self.out / "truth").mkdir(exist_ok=True)
        except OSError as error:
            raise SourceError(f"cannot write to {self.out}: {error.strerror}; choose a folder with --out") from error

    def write(self, chunk: Chunk) -> None:
        """Append a chunk and flush every file it touched."""
        for service, lines in chunk.logs.items():
            self._append(f"logs/{service}.log", lines)
        self._append("metrics.jsonl", chunk.metrics)
        self._append("spans.jsonl", chunk.spans)

    def truth(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """Write OUT/truth/faults.json."""
        import orjson

        (self.out / "truth" / "faults.json").write_bytes(orjson.dumps(list(faults), option=orjson.OPT_INDENT_2) + b"\n")

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1].close()

    def _append(self, name: str, lines: Sequence[str]) -> None:
        if not lines:
            return
        if name not in self._open:
            self._open[name] = (self.out / name).open("a", encoding="utf-8", newline="\n")
        self._open[name].write("\n".join(lines) + "\n")
        self._open[name].flush()


class KafkaSink(_Closing):
    """Produces to topics `logs` (key: service, value: up to 200 lines), `metrics` and `spans` (NDJSON).

    Topics that are missing are created. The truth is written to `truth_file` if one is given, never to Kafka.
    Raises SourceError if the broker cannot be reached.
    """

    def __init__(
        self,
        bootstrap: str,
        topics: tuple[str, str, str] = ("logs", "metrics", "spans"),
        partitions: int = 4,
        truth_file: str | Path | None = None,
    ) -> None:
        from kafka import KafkaProducer
        from kafka.errors import KafkaError

        self._logs, self._metrics, self._spans = topics
        self._truth_file = Path(truth_file) if truth_file else None
        self._error = KafkaError
        self._bootstrap = bootstrap
        try:
            _create_topics(bootstrap, topics, partitions)
            self._producer = KafkaProducer(
                bootstrap_servers=bootstrap, linger_ms=20, compression_type="lz4", acks="all"
            )
        except (KafkaError, OSError, ValueError) as error:
            raise SourceError(
                f"cannot reach Kafka at {bootstrap}: {error or type(error).__name__}; want a running broker"
            ) from error

    def write(self, chunk: Chunk) -> None:
        """Produce a chunk and wait until the broker has it."""
        sent = [
            self._send(self._logs, service, batch) for service, lines in chunk.logs.items() for batch in _batches(lines)
        ]
        sent += [self._send(self._metrics, None, batch) for batch in _batches(chunk.metrics)]
        sent += [self._send(self._spans, None, batch) for batch in _batches(chunk.spans)]
        try:
            self._producer.flush()
            for future in sent:
                future.get(timeout=60)
        except self._error as error:
            raise SourceError(f"Kafka at {self._bootstrap} did not take a message: {error}") from error

    def truth(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """Write the truth file, if one was named."""
        if self._truth_file:
            import orjson

            self._truth_file.parent.mkdir(parents=True, exist_ok=True)
            self._truth_file.write_bytes(orjson.dumps(list(faults), option=orjson.OPT_INDENT_2) + b"\n")

    def close(self) -> None:
        """Flush and disconnect."""
        self._producer.close()

    def _send(self, topic: str, key: str | None, batch: str) -> Any:
        return self._producer.send(topic, key=key.encode() if key else None, value=batch.encode())


def _batches(lines: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(lines), LINES_A_MESSAGE):
        yield "\n".join(lines[start : start + LINES_A_MESSAGE])


def _create_topics(bootstrap: str, topics: Iterable[str], partitions: int) -> None:
    from kafka.admin import KafkaAdminClient, NewTopic
    from kafka.errors import TopicAlreadyExistsError

    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        there = set(admin.list_topics())
        missing = [
            NewTopic(topic, num_partitions=partitions, replication_factor=1) for topic in topics if topic not in there
        ]
        if missing:
            admin.create_topics(missing, raise_errors=True, wait_for_metadata=True)
    except TopicAlreadyExistsError:
        pass  # another producer was faster
    finally:
        admin.close()
