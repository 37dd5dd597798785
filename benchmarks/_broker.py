"""A Kafka topic filled with a corpus, and the peer of reading it: a plain consumer loop."""

import importlib
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from telemetry import SourceError

_WAIT_MS = 5_000


def fill_topic(bootstrap: str, corpus: Mapping[str, Sequence[str]], per_message: int) -> str:
    """Write each service's lines as messages of `per_message` lines, keyed by service; return the new topic's name."""
    kafka = importlib.import_module("kafka")  # only where a broker was named
    topic = f"faultline-bench-{uuid.uuid4().hex[:12]}"
    try:
        producer = kafka.KafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, acks="all")
        for service, lines in corpus.items():
            for at in range(0, len(lines), per_message):
                producer.send(topic, "\n".join(lines[at : at + per_message]).encode(), key=service.encode())
        producer.flush()
        producer.close()
    except (kafka.errors.KafkaError, OSError, ValueError) as error:
        raise SourceError(f"cannot write to Kafka at {bootstrap}: {error}; want a running broker") from error
    return topic


def consume(bootstrap: str, topic: str, lines: int) -> float:
    """Read the topic with a plain consumer loop that counts lines; return the seconds it took from the first poll.

    Raises SourceError where it does not hold `lines` lines.
    """
    kafka = importlib.import_module("kafka")
    consumer: Any = kafka.KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None)
    try:
        seen, began = 0, time.perf_counter()
        while seen < lines:
            polled = consumer.poll(timeout_ms=_WAIT_MS)
            if not polled:
                raise SourceError(f"topic {topic} at {bootstrap}: {seen} of {lines} lines, then nothing for 5 s")
            for messages in polled.values():
                for message in messages:
                    seen += message.value.count(b"\n") + 1
        return time.perf_counter() - began
    finally:
        consumer.close()
