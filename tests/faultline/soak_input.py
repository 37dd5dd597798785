"""What a soak sends: a shop whose services fail now and then, many numbered lines beside it, and some bad records.

A chunk holds five seconds of event time, and what is in it depends on its number alone, never on how fast it is sent.
Every record has an id: where it is in Kafka, and what it says of itself.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

import orjson

from simulation import Chunk, Fault, Shop, make_fault

KINDS = ("logs", "metrics", "spans")
START = datetime(2026, 1, 5, 8, tzinfo=UTC)
CHUNK_S = 5
TILL = "till"
"""The service whose lines are numbered."""
_A_MESSAGE = 50
_ODD_EVERY = 40  # messages of the till
_TEXTS = ("order {} accepted", "payment of order {} took 12 ms", "cache miss for key k{}", "retrying order {} now")
_AHEAD = b"2099-01-01T00:00:00Z INFO shop.Till - from a clock far ahead"  # stored, as seen when it came
_BAD = {
    "metrics": b'{"time": "2026-01-05T08:00:00Z", "service": "till", "metrics": {"orders": "many"}}',
    "spans": b'{"time": "2026-01-05T08:00:00Z", "duration_us": 9, "trace_id": "0", "span_id": "0", "operation": "add"}',
}
_FAULTS = (
    ("dependency_down", "orders-db"),
    ("code_exception", "payment"),
    ("cpu_hog", "catalog"),
    ("network_delay", "inventory"),
    ("crash_loop", "auth"),
    ("slow_query", "user-db"),
)


@dataclass(frozen=True)
class Message:
    """A message for one partition of one topic; `ids` name its good records, which hold `units` lines or points."""

    kind: str
    partition: int
    key: str | None
    value: bytes
    ids: Sequence[str]
    units: int
    bad: int = 0


@dataclass
class Sent:
    """What has arrived at the broker: ids by table, bad records among them, and units in all."""

    ids: dict[str, list[str]] = field(default_factory=lambda: {table: [] for table in (*KINDS, "dead_letters")})
    units: int = 0

    def add(self, message: Message, offset: int) -> None:
        """Note that a message is at an offset."""
        where = f"{message.partition}/{offset}"
        self.ids[message.kind] += [f"{where}/{each}" for each in message.ids]
        self.ids["dead_letters"] += [f"{message.kind}/{where}"] * message.bad
        self.units += message.units + message.bad


def faults(seconds: float) -> list[Fault]:
    """Return severe faults, one every quarter of an hour, after twenty-five quiet minutes."""
    starts = range(1500, round(seconds), 900)
    return [make_fault(kind, "high", where, at) for at, (kind, where) in zip(starts, _FAULTS * len(starts))]  # noqa: B905


def chunks(seconds: int, lines: int, partitions: int, seed: int) -> Iterator[list[Message]]:
    """Yield the messages of each chunk; the till writes `lines` in a chunk."""
    shop = Shop(seed, START, faults(seconds))
    for number in range(seconds // CHUNK_S):
        yield [*_shop(shop.advance(CHUNK_S), number, partitions), *_till(number, lines, partitions)]


def _shop(chunk: Chunk, number: int, partitions: int) -> Iterator[Message]:
    for service, records in chunk.logs.items():
        begins, line = [], 1
        for record in records:
            begins.append(f"{line}/")
            line += record.count("\n") + 1
        yield Message("logs", crc32(service.encode()) % partitions, service, _joined(records), begins, line - 1)
    spans = [f"{orjson.loads(record)['span_id']}" for record in chunk.spans]
    if spans:
        yield Message("spans", number % partitions, None, _joined(chunk.spans), spans, len(spans))
    points = [point for record in chunk.metrics for point in _point_ids(orjson.loads(record))]
    if points:
        yield Message("metrics", number % partitions, None, _joined(chunk.metrics), points, len(points))


def _joined(records: Sequence[str]) -> bytes:
    return "\n".join(records).encode()


def _point_ids(record: dict[str, Any]) -> list[str]:
    return [f"{record['service']}/{name}/{float(value)!r}" for name, value in record["metrics"].items()]


def _till(number: int, lines: int, partitions: int) -> Iterator[Message]:
    """Yield numbered lines, and a metric point and a span for each tenth of them."""
    step_us = CHUNK_S * 1_000_000 // lines
    began = round(START.timestamp()) * 1_000_000 + number * CHUNK_S * 1_000_000
    for first in range(0, lines, _A_MESSAGE):
        message = (number * lines + first) // _A_MESSAGE
        each = [(number * lines + n, began + n * step_us) for n in range(first, min(first + _A_MESSAGE, lines))]
        tenths = [one for one in each if one[0] % 10 == 0]
        made = {
            "logs": [(_line(n, at), f"{row}/{n}") for row, (n, at) in enumerate(each, 1)],
            "metrics": [(_point(n, at), f"{TILL}/orders/{float(n)!r}") for n, at in tenths],
            "spans": [(_span(n, at), f"{n + 1:016x}") for n, at in tenths],
        }
        odd = message % _ODD_EVERY == 0
        if odd:
            made["logs"].append((_AHEAD, f"{len(each) + 1}/"))
        for kind, records in made.items():
            bad = [_BAD[kind]] if odd and kind in _BAD else []
            value = b"\n".join([*(record for record, _ in records), *bad])
            ids = [name for _, name in records]
            yield Message(kind, message % partitions, TILL, value, ids, len(ids), len(bad))


def _iso(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _line(n: int, at: int) -> bytes:
    text = _TEXTS[n * 7919 % 13 % len(_TEXTS)].format(n)
    return f"{_iso(at)} {'ERROR' if n % 97 == 0 else 'INFO'} shop.Till - {text}".encode()


def _point(n: int, at: int) -> bytes:
    return orjson.dumps({"time": _iso(at), "service": TILL, "metrics": {"orders": n}})


def _span(n: int, at: int) -> bytes:
    ids = {"trace_id": f"{n + 1:032x}", "span_id": f"{n + 1:016x}"}
    return orjson.dumps(
        {"time": _iso(at), "duration_us": 900, **ids, "service": TILL, "operation": "add", "status": "ok"}
    )


class Producer(threading.Thread):
    """Sends chunks of messages, one every `pause_s`; `sent` is what has arrived."""

    def __init__(self, servers: str, topics: Sequence[str], messages: Iterator[list[Message]], pause_s: float) -> None:
        super().__init__(daemon=True)
        self._servers, self._topics = servers, dict(zip(KINDS, topics, strict=True))
        self._messages, self._pause_s = messages, pause_s
        self._halt = threading.Event()
        self._error: BaseException | None = None
        self.sent = Sent()

    def run(self) -> None:
        """Send until the messages end or `stop`."""
        from kafka import KafkaProducer

        options = {"acks": "all", "linger_ms": 5, "delivery_timeout_ms": 600_000, "compression_type": "lz4"}
        try:
            producer = KafkaProducer(bootstrap_servers=self._servers, **options)
            began, waiting = time.monotonic(), []
            for number, messages in enumerate(self._messages):
                waiting += [(message, self._send(producer, message)) for message in messages]
                if len(waiting) > 2000:
                    self._arrived(waiting)
                if self._halt.wait(max(0.0, began + number * self._pause_s - time.monotonic())):
                    break
            self._arrived(waiting)
            producer.close()
        except BaseException as error:
            self._error = error

    def _send(self, producer: Any, message: Message) -> Any:
        key = message.key.encode() if message.key else None
        return producer.send(self._topics[message.kind], message.value, key=key, partition=message.partition)

    def _arrived(self, waiting: list[tuple[Message, Any]]) -> None:
        for message, future in waiting:
            self.sent.add(message, future.get(600).offset)
        waiting.clear()

    def stop(self) -> Sent:
        """Send no more; return what has arrived. Raises what sending raised."""
        self._halt.set()
        self.join()
        if self._error is not None:
            raise self._error
        return self.sent
