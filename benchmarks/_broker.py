"""A Kafka topic filled with a corpus, and the peer of reading it: a plain consumer loop."""

import importlib
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from telemetry import SourceError

_WAIT_MS = 5_000
_CONNECT_MS = 10_000
_PARTITIONS = 4


def fill_topic(bootstrap: str, corpus: Mapping[str, Sequence[str]], per_message: int) -> str:
    """Write each service's lines as messages of `per_message` lines, keyed by service; return the new topic's name."""
    kafka = importlib.import_module("kafka")  # only where a broker was named
    admin_module = importlib.import_module("kafka.admin")
    topic = f"faultline-bench-{uuid.uuid4().hex[:12]}"
    where = {"bootstrap_servers": bootstrap, "bootstrap_timeout_ms": _CONNECT_MS}
    try:
        with closing(kafka.KafkaAdminClient(**where)) as admin:
            made = admin_module.NewTopic(topic, num_partitions=_PARTITIONS, replication_factor=1)
            admin.create_topics([made], raise_errors=True, wait_for_metadata=True)
        with closing(kafka.KafkaProducer(**where, linger_ms=20, acks="all")) as producer:
            for service, lines in corpus.items():
                for at in range(0, len(lines), per_message):
                    producer.send(topic, "\n".join(lines[at : at + per_message]).encode(), key=service.encode())
            producer.flush()
    except (kafka.errors.KafkaError, OSError, ValueError) as error:
        found = str(error) or type(error).__name__
        raise SourceError(f"cannot write to Kafka at {bootstrap}: {found}; want a running broker") from error
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
