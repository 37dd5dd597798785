"""A soak: numbered telemetry into a real broker, workers that die all the time, and a check of every number."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from crew import Crew

from storage import Store

START_US = 1_767_600_000_000_000  # 2026-01-05 08:00 UTC
TOPICS = ("logs", "metrics", "spans")
A_MESSAGE = 50
STEP_US = 2_000  # event time between two records
ZOMBIE = "zombie"
_TEXTS = ("order {} accepted", "payment of order {} took 12 ms", "cache miss for key k{}", "retrying order {} now")


class Producer(threading.Thread):
    """Sends numbered log lines, and a metric point and a span for each tenth of them, until told to stop.

    Number n has event time n * STEP_US, so that the input does not depend on how fast it is sent.
    """

    def __init__(self, servers: str, topics: tuple[str, ...], partitions: int, rate: int) -> None:
        super().__init__(daemon=True)
        self._servers, self._topics, self._partitions, self._rate = servers, topics, partitions, rate
        self._halt = threading.Event()
        self.lines = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        """Send at the given rate (lines a second)."""
        from kafka import KafkaProducer

        options = {"acks": "all", "linger_ms": 5, "delivery_timeout_ms": 600_000, "compression_type": "lz4"}
        try:
            producer = KafkaProducer(bootstrap_servers=self._servers, **options)
            began, sent = time.monotonic(), []
            while not self._halt.is_set():
                sent += self._send(producer, self.lines)
                self.lines += A_MESSAGE
                time.sleep(max(0.0, self.lines / self._rate - (time.monotonic() - began)))
                if len(sent) >= 2000:
                    for future in sent:
                        future.get(600)
                    sent.clear()
            for future in sent:
                future.get(600)
            producer.close()
        except BaseException as error:
            self.error = error

    def _send(self, producer: Any, first: int) -> list[Any]:
        partition = first // A_MESSAGE % self._partitions
        numbers = range(first, first + A_MESSAGE)
        points, spans = [[make(n) for n in numbers if n % 10 == 0] for make in (_point, _span)]
        values = (b"\n".join(map(_line, numbers)), b"\n".join(points), b"\n".join(spans))
        return [
            producer.send(topic, value, partition=partition, key=b"shop")
            for topic, value in zip(self._topics, values, strict=True)
        ]

    def stop(self) -> None:
        """Stop, and make sure that all that was sent has arrived. Raises what sending raised."""
        self._halt.set()
        self.join()
        if self.error is not None:
            raise self.error


def _time(n: int) -> str:
    return datetime.fromtimestamp((START_US + n * STEP_US) / 1e6, UTC).isoformat(timespec="milliseconds")


def _line(n: int) -> bytes:
    text = _TEXTS[n * 7919 % 13 % len(_TEXTS)].format(n)
    return f"{_time(n).replace('+00:00', 'Z')} {'ERROR' if n % 97 == 0 else 'INFO'} shop.Cart - {text}".encode()


def _point(n: int) -> bytes:
    return orjson.dumps({"time": _time(n), "service": "shop", "metrics": {"orders": n}})


def _span(n: int) -> bytes:
    span = {
        "trace_id": f"{n + 1:032x}",
        "span_id": f"{n + 1:016x}",
        "service": "shop",
        "operation": "add",
        "status": "ok",
    }
    return orjson.dumps({"time": _time(n), "duration_us": 900, **span})


@dataclass
class Found:
    """What a store lacks of, and has too often of, the numbers sent; by table."""

    lost: dict[str, int] = field(default_factory=dict)
    doubled: dict[str, int] = field(default_factory=dict)

    @property
    def nothing(self) -> bool:
        """Whether all is there once."""
        return not any(self.lost.values()) and not any(self.doubled.values())


_NUMBERS = {
    "logs": "regexp_extract(body, '(\\d+)', 1)::BIGINT",
    "metrics": "value::BIGINT",
    "spans": "('0x' || span_id)::BIGINT - 1",
}


def compare(store: Path, lines: int) -> Found:
    """Look for every number sent in every table; sums count as many rows as they must."""
    found = Found()
    with Store.open(store, create=False).reader("2GiB", 600) as reader:
        for table, number in _NUMBERS.items():
            rows = reader.query(f"SELECT {number} AS n, count(*) AS times FROM raw_{table} GROUP BY n")
            times = Counter(dict(zip(rows["n"].to_pylist(), rows["times"].to_pylist(), strict=True)))
            sent = range(0, lines, 1 if table == "logs" else 10)
            found.lost[table] = sum(n not in times for n in sent)
            found.doubled[table] = sum(times.values()) - len(times)
            assert times.keys() <= set(sent), f"{table} holds what nobody sent"
        for table in ("log_counts", "templates"):
            total = reader.query(f"SELECT coalesce(sum(count), 0)::BIGINT AS n FROM raw_{table}")["n"][0].as_py()
            found.lost[table], found.doubled[table] = max(0, lines - total), max(0, total - lines)
        ledger = "SELECT sum(read) AS read, sum(stored) AS stored FROM (SELECT max(read) AS read, max(stored) AS stored"
        totals = reader.query(f"{ledger} FROM raw_ledger GROUP BY app_id)").to_pylist()[0]
        assert totals["read"] == totals["stored"] or not found.nothing, totals
        found.lost["ledger"] = max(0, lines + 2 * len(range(0, lines, 10)) - int(totals["read"]))
    return found


DERIVED = {
    "templates": 'SELECT body, template_id, params, late, "partition", "offset", line FROM raw_logs ORDER BY ALL',
    "anomalies": "SELECT * FROM raw_anomalies ORDER BY ALL",
    "incidents": "SELECT * FROM raw_incidents ORDER BY ALL",
    "suspects": "SELECT * EXCLUDE (evidence) FROM raw_suspects ORDER BY ALL",
}


def derived(store: Path) -> dict[str, Any]:
    """What the stages made of the input: the same for the same input, whatever happened on the way."""
    with Store.open(store, create=False).reader("2GiB", 600) as reader:
        return {name: reader.query(sql) for name, sql in DERIVED.items()}


class Chaos:
    """Does something bad to a crew again and again; `done` counts what."""

    def __init__(self, crew: Crew, names: list[str], seed: int, restart_broker: Callable[[], None] | None) -> None:
        self._crew, self._names, self._random = crew, names, random.Random(seed)
        self._restart = restart_broker
        self.done: Counter[str] = Counter()

    def run(self, until: Callable[[], bool], pause_s: float) -> None:
        """Go on until told; wait up to `pause_s` between two acts."""
        self._crew.start(*self._names)
        self._crew.start(ZOMBIE, group="-zombie")
        while not until():
            time.sleep(self._random.uniform(0.2, 1.0) * pause_s)
            self._act(self._random.choice([*self._names, ZOMBIE]), self._random.random())
        for name in [*self._names, ZOMBIE]:
            self._revive(name)

    def _act(self, name: str, dice: float) -> None:
        if self._revive(name):
            self.done["starts without a broker"] += 1
        elif dice < 0.04 and self._restart is not None:
            self._restart()
            self.done["broker restarts"] += 1
        elif dice < 0.3:
            threading.Thread(target=self._stop, args=(name, self._random.uniform(1, 13)), daemon=True).start()
            self.done["stops"] += 1
        else:
            self._crew.kill(name)
            self._crew.start(name, group="-zombie" if name == ZOMBIE else "")
            self.done["kills"] += 1

    def _revive(self, name: str) -> bool:
        """Start a worker again that found no broker when it began; for no other reason may one end."""
        if self._crew.running[name].poll() is None:
            return False
        said = self._crew.said(name).read_text()[-2000:]
        assert "no Kafka broker answers" in said.splitlines()[-1], (name, said)
        self._crew.start(name, group="-zombie" if name == ZOMBIE else "")
        return True

    def _stop(self, name: str, seconds: float) -> None:
        try:
            self._crew.stop(name, seconds)
        except (KeyError, ProcessLookupError):
            return  # killed meanwhile
