"""A Kafka topic written or read from its beginning, once, without a group or positions: for measurements."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

from telemetry import SourceError

_WAIT_MS = 5_000
_CONNECT_MS = 10_000


def fill_topic(bootstrap: str, topic: str, messages: Iterable[tuple[str, str]], *, partitions: int = 4) -> None:
    """Make a topic of so many partitions and write (key, value) messages to it, in order within a key.

    Returns when the broker has them all. Raises SourceError where there is no broker, the topic is there already, or a
    message is refused.
    """
    from kafka import KafkaAdminClient, KafkaProducer
    from kafka.admin import NewTopic
    from kafka.errors import KafkaError

    where = {"bootstrap_servers": bootstrap, "bootstrap_timeout_ms": _CONNECT_MS}
    try:
        with closing(KafkaAdminClient(**where)) as admin:
            made = NewTopic(topic, num_partitions=partitions, replication_factor=1)
            admin.create_topics([made], raise_errors=True, wait_for_metadata=True)
        with closing(KafkaProducer(**where, linger_ms=20, acks="all")) as producer:
            refused: list[Exception] = []
            for key, value in messages:
                producer.send(topic, key=key.encode(), value=value.encode()).add_errback(refused.append)
            producer.flush()
            if refused:
                raise refused[0]
    except (KafkaError, OSError, ValueError) as error:
        found = str(error) or type(error).__name__
        raise SourceError(f"cannot write to Kafka at {bootstrap}: {found}; want a running broker") from error


def read_topic(bootstrap: str, topic: str) -> Iterator[list[tuple[bytes | None, bytes]]]:
    """Connect, then return what each poll gives, as (key, value); after 5 s without any, an error.

    Stop reading when you have what was written: a topic has no end. Raises SourceError, at once where there is no
    broker.
    """
    from kafka import KafkaConsumer
    from kafka.errors import KafkaError

    try:
        consumer = KafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            bootstrap_timeout_ms=_CONNECT_MS,
            auto_offset_reset="earliest",
            group_id=None,
        )
    except (KafkaError, OSError, ValueError) as error:
        found = str(error) or type(error).__name__
        raise SourceError(f"cannot read from Kafka at {bootstrap}: {found}; want a running broker") from error
    return _polled(consumer, f"topic {topic} at {bootstrap}")


def _polled(consumer: Any, where: str) -> Iterator[list[tuple[bytes | None, bytes]]]:
    with closing(consumer):
        while polled := consumer.poll(timeout_ms=_WAIT_MS):
            yield [(message.key, message.value) for messages in polled.values() for message in messages]
    raise SourceError(f"{where}: nothing more came for {_WAIT_MS / 1000:.0f} s")
